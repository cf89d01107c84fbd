#include "nodes/talk.hpp"

#include <algorithm>
#include <chrono>

#include <gsl/assert>

namespace bench {

talk::talk(const std::string& kind, const credentials_folder& as, std::uint32_t in_flight)
    : kind_{kind}, in_flight_{in_flight}, server_{kind, as}
{
  const auto* how = peer_named(kind);
  Expects(how != nullptr);
  client_ = how->connect(as.path() + "/user", server_.address());
}

void talk::run(std::uint64_t count)
{
  const auto here = cpu_seconds_here();
  const auto there = server_.cpu_seconds();
  client_->run(count, in_flight_);
  client_cpu_s_ += cpu_seconds_here() - here;
  server_cpu_s_ += server_.cpu_seconds() - there;
  things_ += static_cast<double>(count);
}

std::uint64_t talk::count_for(double seconds)
{
  std::uint64_t count = in_flight_;
  for (;;) {
    const auto begin = std::chrono::steady_clock::now();
    run(count);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    if (took.count() >= seconds / 2) return count;
    count = std::max(count + 1, static_cast<std::uint64_t>(static_cast<double>(count) *
                                                           std::min(10.0, seconds / std::max(took.count(), 1e-6))));
  }
}

void talk::join(paired& contest, std::uint64_t count)
{
  client_cpu_s_ = server_cpu_s_ = things_ = 0;
  contest.add(kind_, [this, count] { run(count); }, static_cast<double>(count));
}

}  // namespace bench
