"""Shows that the simulated network finds the mistake that is hidden in a chat server, tells how to repeat it, and that the
mended server passes every seed."""

import os
import subprocess
import unittest

from programs import EXAMPLES


def chat(*arguments, **variables):
    return subprocess.run([EXAMPLES / "simulated_chat", *arguments], env={**os.environ, **variables}, text=True, timeout=120,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)


class SimulatedChat(unittest.TestCase):
    def test_the_hasty_server_is_found_out_and_the_seed_that_is_told_repeats_it(self):
        found = chat("hasty", MEARI_SIM_SEEDS="100")
        self.assertEqual(found.returncode, 1, found.stdout)
        for words in ("failed:", "faults: ", "FAILED: ", "hears line"):
            self.assertIn(words, found.stdout)
        seed = found.stdout.split("MEARI_SIM_SEED=")[1].split()[0]
        self.assertEqual(chat("hasty", MEARI_SIM_SEED=seed).stdout, found.stdout)

    def test_the_mended_server_passes_every_seed(self):
        passed = chat(MEARI_SIM_SEEDS="300")
        self.assertEqual(passed.returncode, 0, passed.stdout)
        self.assertTrue(passed.stdout.startswith("300 seeds, "), passed.stdout)

    def test_one_seed_runs_or_a_range_up_to_the_last_there_is(self):
        last = 2**64 - 1
        for variables, count in (({"MEARI_SIM_SEED": "7"}, 1), ({"MEARI_SIM_SEED": str(last)}, 1),
                                 ({"MEARI_SIM_SEEDS": "40-49"}, 10), ({"MEARI_SIM_SEEDS": f"{last - 1}-{last}"}, 2),
                                 ({"MEARI_SIM_SEEDS": "40-49", "MEARI_SIM_SEED": "7"}, 1)):
            self.assertTrue(chat(**variables).stdout.startswith(f"{count} seeds, "), variables)

    def test_what_is_no_number_and_what_would_run_nothing_is_refused(self):
        for wrong in ("1e3", "5-", "-5", "many", "0", "9-5", "0-9", f"0-{2**64 - 1}", "5-9-12", str(2**64)):
            self.assertNotEqual(chat(MEARI_SIM_SEEDS=wrong).returncode, 0, wrong)
        for wrong in ("5-9", "-5", "many", "0", str(2**64)):
            refused = chat(MEARI_SIM_SEED=wrong)
            self.assertNotEqual(refused.returncode, 0, wrong)
            self.assertIn(f"MEARI_SIM_SEED {wrong}", refused.stderr)


if __name__ == "__main__":
    unittest.main()
