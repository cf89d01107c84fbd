#include "net/payload_inbox.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include <gsl/assert>

namespace fastgpu::inline v0::detail {
namespace {

// What is reserved and not filled is addresses, not memory; what moves is copied, into memory that was never touched.
constexpr std::size_t first_bytes = 4 << 20;
constexpr std::size_t growth = 16;

/// To touch a page of 4 KiB for the first time takes longer than to copy it.
void ask_for_large_pages(std::byte* at, std::size_t bytes) noexcept
{
  constexpr std::size_t page = 2 << 20;
  void* begin = at;
  if (std::align(page, page, begin, bytes) != nullptr) ::madvise(begin, bytes / page * page, MADV_HUGEPAGE);
}

}  // namespace

std::shared_ptr<payload_budget> budget_of_this_process()
{
  static const auto budget = [] {
    const auto pages = ::sysconf(_SC_PHYS_PAGES);
    const auto bytes = ::sysconf(_SC_PAGESIZE);
    constexpr std::uint64_t where_unknown = std::uint64_t{4} << 30;
    const bool known = pages > 0 && bytes > 0;
    return std::make_shared<payload_budget>(
        known ? static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(bytes) / 2 : where_unknown);
  }();
  return budget;
}

void payload_inbox::begin(message&& what, std::uint64_t bytes)
{
  Expects(!what_ && bytes > 0);
  what_ = std::move(what);
  announced_ = bytes;
}

std::optional<failure> payload_inbox::add(std::span<const std::byte> piece)
{
  Expects(what_);
  if (piece.size() > announced_ - bytes_.size()) {
    return failure{make_error_code(errc::protocol_error), "a payload is longer than was announced"};
  }
  if (budget_) {
    if (!budget_->take(piece.size())) {
      return failure{std::make_error_code(std::errc::not_enough_memory),
                     "there is no memory for a payload of " + std::to_string(announced_) + " bytes, after " +
                         std::to_string(bytes_.size())};
    }
    taken_ += piece.size();
  }
  const auto needed = bytes_.size() + piece.size();
  if (needed > bytes_.capacity()) {
    bytes_.reserve(std::min<std::uint64_t>(announced_, std::max({first_bytes, growth * bytes_.capacity(), needed})));
    if (needed > first_bytes) ask_for_large_pages(bytes_.data(), bytes_.capacity());
  }
  bytes_.insert(bytes_.end(), piece.begin(), piece.end());
  return std::nullopt;
}

payload_inbox::item payload_inbox::take()
{
  Expects(complete());
  item whole{*std::move(what_), std::move(bytes_)};
  clear();
  return whole;
}

void payload_inbox::clear() noexcept
{
  if (budget_) budget_->give_back(taken_);
  taken_ = 0;
  announced_ = 0;
  what_.reset();
  bytes_ = payload{};  // `= {}` would keep the memory
}

}  // namespace fastgpu::inline v0::detail
