// Addresses as people write them: what is taken means the same when it is written again, and what is not is refused with a
// sentence of one line.
#include <meari/address.hpp>

#include <meari/quote.hpp>

#include "need.hpp"

using namespace meari;
using fuzz::need;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const Result<Address> address = Address::parse(text);
  if (address) {
    need(address->family() != Family::unspecified);
    const Result<Address> again = Address::parse(address->to_string());
    need(again && again->to_string() == address->to_string());
    // What is mapped into IPv6 is written as IPv4; all others are the very same.
    need(again->family() != address->family() || *again == *address);
    need(address->with_port(1).port() == (address->family() == Family::local ? address->port() : 1));
  } else {
    need(address.error() == Errc::invalid_argument && !quote(address.error().message()).empty());
  }

  const Result<Endpoint> endpoint = Endpoint::parse(text);
  if (endpoint) {
    const std::string written = endpoint->to_string();
    const Result<Endpoint> again = Endpoint::parse(written);
    need(again && again->to_string() == written && again->form == endpoint->form && again->kind == endpoint->kind);
    need(again->port == endpoint->port && again->descriptor == endpoint->descriptor && again->host == endpoint->host);
    // Names are asked of the system, and who knows whom it asks.
    if (endpoint->form != Endpoint::Form::name) {
      const Result<std::vector<Address>> all = resolve(*endpoint);
      need(!all || !all->empty());
    }
  } else {
    need(endpoint.error() == Errc::invalid_argument && !endpoint.error().message().empty());
  }
  if (address && address->port() != 0 && endpoint) need(endpoint->form == Endpoint::Form::address);

  const Address numeric(text, 9);
  if (numeric.family() != Family::unspecified) {
    need(numeric.port() == 9 && Address::parse(numeric.to_string()).has_value());
    need((numeric <=> numeric) == 0);
  }
  const Result<Address> path = Address::from_path(text);
  if (path) need(path->family() == Family::local && path->path() == text);
  return 0;
}
