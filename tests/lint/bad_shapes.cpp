// What tools/check_coroutines.py refuses: a line that ends in `bad` is reported, and no other. Not compiled.
Task<> conditions(Stream peer) {
  if (co_await peer.ready()) go();                       // bad
  if (!(co_await peer.ready())) go();                    // bad
  while (co_await peer.more()) go();                     // bad
  switch (co_await peer.kind()) { default: break; }      // bad
  while (Chunk data = co_await peer.read()) go();
  while (const Chunk data = co_await peer.read()) {
    co_await peer.write(std::move(data));
  }
  if (auto value = co_await peer.read(); value) go();
  if (Result<Chunk> value = co_await as_result(peer.read()); !value) go();
  if (auto value = peer.kind(); co_await value) go();    // bad
  const bool ready = co_await peer.ready();
  if (ready) co_await peer.write("yes");
  for (;;) co_await peer.write("?");
  if (const auto n = ready ? 1 : 2; n) co_await peer.write("!");
}

Task<int> choices(bool first) {
  co_await call(first ? "a" : "b");                      // bad
  std::string text = first ? co_await left() : "";       // bad
  const int n = first ? 1 : 2;
  co_await call(n);
  co_await call(first ? 1 : 2);  // safe shape: numbers
  co_return first ? co_await left() : throw 5;           // bad
}

Task<> braces(Scope& scope) {
  co_await call(Options{.a = 1});                        // bad
  co_await call({.a = 1});                               // bad
  co_await call(name, {1, 2});                           // bad
  Box box{co_await left()};                              // bad
  co_return Box{co_await left()};                        // bad
  box = {co_await left()};                               // bad
  Options options{.a = 1};
  co_await call(options);
  // safe shape: trivially destructible
  co_await call(Options{.a = 1});
  co_await call(std::string{"x"}, Chunk{});
  co_await std::array<std::string, 2>{"a", "b"}.go();    // bad
}

Task<> lambdas(std::string text) {
  co_await call([text] { use(text); });                  // bad
  co_await call([text = std::move(text)]() mutable { use(text); });  // bad
  co_await call([=] { use(text); });                     // bad
  co_await scoped([&](Scope& scope) -> Task<> {
    scope.spawn([text]() -> Task<> { co_await later(); }());
    Options options{.a = 1};
    const auto n = ready ? "a" : "b";
    co_await call(options);
  });
  co_await call([&text, this] { use(Options{text}); });
  auto [a, b] = co_await both();
  auto later = [text]() -> Task<> { co_return; };
  co_await later();
  values[index] = co_await left();
  for (Chunk& each : co_await all()) {
    use(Options{each}, ready ? "a" : "b");
  }
  if (ready) {
    use(Options{1});
  }
  co_await call("co_await ? {", '{');
  int digits = 1'000'000;
  co_await call(digits);
}
