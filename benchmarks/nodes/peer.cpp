#include "nodes/peer.hpp"

#include <algorithm>

namespace bench {

const std::vector<peer_kind>& peer_kinds()
{
  static const auto all = [] {
    std::vector<peer_kind> kinds;
    add_fastgpu_peers(kinds);
    add_asio_peers(kinds);
#if FASTGPU_BENCHMARK_GRPC
    add_grpc_peers(kinds);
#endif
    return kinds;
  }();
  return all;
}

const peer_kind* peer_named(const std::string& name)
{
  const auto& all = peer_kinds();
  const auto at = std::find_if(all.begin(), all.end(), [&](const peer_kind& k) { return k.name == name; });
  return at == all.end() ? nullptr : &*at;
}

}  // namespace bench
