"""The picture of a run of bench/run: for each cell how much more, or less, every server does for a second of its CPU than plain
epoll, with the interval. One SVG without scripts that brings its own background, light or dark, as `meari bench --plot` does."""

import html
import math

STYLE = """<style>
text{font:13px system-ui,"Noto Sans","Noto Sans KR","Malgun Gothic",sans-serif;fill:#52606d}
.title{font-size:19px;font-weight:600;fill:#1f2933}.head{font-weight:600;fill:#1f2933}
.card{fill:#ffffff;stroke:#d5dbe1}.grid{stroke:#e4e9ee}.one{stroke:#7b8794;stroke-dasharray:4 4}.band{fill:#f5f7fa}
.s0{fill:#2563eb;stroke:#2563eb}.s1{fill:#0891b2;stroke:#0891b2}.s2{fill:#7b8794;stroke:#7b8794}.s3{fill:#16a34a;stroke:#16a34a}
.s4{fill:#d97706;stroke:#d97706}.s5{fill:#b45309;stroke:#b45309}.s6{fill:#9333ea;stroke:#9333ea}.s7{fill:#db2777;stroke:#db2777}
.bar{stroke-width:2;stroke-opacity:.55;fill:none}
@media (prefers-color-scheme:dark){text{fill:#a9b4c0}.title,.head{fill:#eef2f6}.card{fill:#161b22;stroke:#30363d}.grid{stroke:#272e37}
.one{stroke:#8b98a5}.band{fill:#1b222b}.s0{fill:#6ea8fe;stroke:#6ea8fe}.s1{fill:#22d3ee;stroke:#22d3ee}.s2{fill:#9aa5b1;stroke:#9aa5b1}
.s3{fill:#4ade80;stroke:#4ade80}.s4{fill:#f0a83c;stroke:#f0a83c}.s5{fill:#fb923c;stroke:#fb923c}.s6{fill:#c084fc;stroke:#c084fc}
.s7{fill:#f472b6;stroke:#f472b6}}
</style>
"""
WIDTH, LEFT, RIGHT, TOP = 960, 210, 930, 150
ROW = 13                             # for a server; a cell has a row for each, so that no mark covers another


def picture(title, about, cells, order):
    """cells: (name, {server: {"median", "low", "high"}}); order: the servers, meari first. The scale is logarithmic: half stands as far
    from one as double."""
    drawn = [name for name in order if any(name in rows for _, rows in cells)]
    values = [ratio[key] for _, rows in cells for name, ratio in rows.items() if name in drawn for key in ("low", "high", "median")]
    low = min([0.8, *values]) / 1.05
    high = max([1.3, *values]) * 1.05

    def x(value):
        return LEFT + (RIGHT - LEFT) * math.log(max(value, low) / low) / math.log(high / low)

    block = ROW * len(drawn) + 14
    height = TOP + block * len(cells) + 56
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img">\n',
           f"<title>{html.escape(title)}</title>\n", STYLE,
           f'<rect class="card" x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" rx="12"/>\n',
           f'<text class="title" x="32" y="44">{html.escape(title)}</text>\n', f'<text x="32" y="68">{html.escape(about)}</text>\n']
    at = 32
    for number, name in enumerate(drawn):
        out.append(f'<circle class="s{number % 8}" cx="{at + 5}" cy="94" r="5"/><text x="{at + 16}" y="98.5">{html.escape(name)}</text>\n')
        at += 16 + 7.6 * len(name) + 20
    bottom = TOP + block * len(cells)
    for number, (name, _) in enumerate(cells):
        if number % 2 == 0:
            out.append(f'<rect class="band" x="24" y="{TOP + block * number - 4}" width="{WIDTH - 48}" height="{block}"/>\n')
    for tick in (0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9, 1, 1.1, 1.2, 1.5, 2, 3, 5):
        if low <= tick <= high:
            out.append(f'<path class="{"one" if tick == 1 else "grid"}" d="M{x(tick):.1f} {TOP - 6}L{x(tick):.1f} {bottom}"/>\n')
            out.append(f'<text x="{x(tick):.1f}" y="{TOP - 14}" text-anchor="middle">{tick:g}</text>'
                       f'<text x="{x(tick):.1f}" y="{bottom + 20}" text-anchor="middle">{tick:g}</text>\n')
    for number, (name, rows) in enumerate(cells):
        top = TOP + block * number
        out.append(f'<text class="head" x="{LEFT - 14}" y="{top + block / 2:.1f}" text-anchor="end">{html.escape(name)}</text>\n')
        for place, server in enumerate(drawn):
            if server not in rows:
                continue
            ratio, y = rows[server], top + ROW * place + 9
            out.append(f'<path class="bar s{place % 8}" d="M{x(ratio["low"]):.1f} {y}L{x(ratio["high"]):.1f} {y}"/>'
                       f'<circle class="s{place % 8}" cx="{x(ratio["median"]):.1f}" cy="{y}" r="4"/>\n')
    out.append(f'<text x="{(LEFT + RIGHT) / 2}" y="{bottom + 42}" text-anchor="middle">'
               "for each second of the server's CPU, plain epoll in the same round = 1; more is better; line: 95 % interval</text>\n</svg>\n")
    return "".join(out)
