#include "node/content_cache.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "detail/sha256.hpp"

namespace fastgpu::inline v0::detail {

content_hash hash_of(std::span<const std::byte> bytes)
{
  return sha256{}.add_bytes(bytes.data(), bytes.size()).digest();
}

content content_cache::find(const content_hash& hash, std::size_t bytes)
{
  const std::scoped_lock lock{mutex_};
  const auto at = std::find_if(entries_.begin(), entries_.end(), [&](const entry& e) { return e.hash == hash; });
  if (at == entries_.end() || at->what->size() != bytes) return nullptr;
  entries_.splice(entries_.begin(), entries_, at);
  return at->what;
}

content content_cache::store(const content_hash& hash, std::span<const std::byte> bytes)
{
  if (hash_of(bytes) != hash) return nullptr;
  if (auto known = find(hash, bytes.size())) return known;
  mapped_bytes copy{bytes.size()};
  if (!bytes.empty()) std::memcpy(copy.data(), bytes.data(), bytes.size());
  copy.make_read_only();
  content added = std::make_shared<const mapped_bytes>(std::move(copy));
  if (bytes.size() > bytes_max_) return added;

  std::list<entry> dropped;  // unmapped after the lock
  const std::scoped_lock lock{mutex_};
  entries_.push_front({hash, added});  // twice, if two threads brought the same: the older one leaves in time
  bytes_ += bytes.size();
  while (bytes_ > bytes_max_) {
    bytes_ -= entries_.back().what->size();
    dropped.splice(dropped.begin(), entries_, std::prev(entries_.end()));
  }
  return added;
}

std::uint64_t content_cache::bytes() const
{
  const std::scoped_lock lock{mutex_};
  return bytes_;
}

}  // namespace fastgpu::inline v0::detail
