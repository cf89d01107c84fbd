#include "net/outbox.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include <gsl/assert>

namespace fastgpu::inline v0::detail {
namespace {

frame_type shifted(frame_type first, const message& what)
{
  return static_cast<frame_type>(static_cast<std::size_t>(first) + what.index());
}

}  // namespace

void outbox::add(frame_type bodyless) { frame_writer::end(frames_.begin(bodyless, ready_), ready_); }

void outbox::add(frame_type type, const hello& what)
{
  const auto begin = frames_.begin(type, ready_);
  encoder_.append(what, ready_);
  frame_writer::end(begin, ready_);
}

void outbox::add(const refusal& what)
{
  const auto begin = frames_.begin(frame_type::refused, ready_);
  encoder_.append(what, ready_);
  frame_writer::end(begin, ready_);
}

std::size_t outbox::add(const message& what)
{
  auto& out = released_ ? ready_ : early_;
  const auto begin = (released_ ? frames_ : unnumbered_).begin(shifted(frame_type::first_message, what), out);
  encoder_.append(what, out);
  frame_writer::end(begin, out);
  return out.size() - begin - frame_header_bytes;
}

std::size_t outbox::add(const message& what, std::shared_ptr<const payload> bytes,
                        std::shared_ptr<transfer_meter> meter)
{
  Expects(bytes);
  constexpr std::size_t usual_bytes = 256;
  bulk_message bulk;
  bulk.head.reserve(usual_bytes);
  const auto begin = unnumbered_.begin(shifted(frame_type::first_with_payload, what), bulk.head);
  bulk.head.resize(bulk.head.size() + sizeof(std::uint64_t));
  store_little(std::uint64_t{bytes->size()}, bulk.head.data() + frame_header_bytes);
  encoder_.append(what, bulk.head);
  frame_writer::end(begin, bulk.head);
  bulk.bytes = std::move(bytes);
  if (meter && !bulk.bytes->empty()) {
    bulk.meter = std::move(meter);
    ends_.push_back({std::numeric_limits<std::uint64_t>::max(), bulk.meter});
  }
  bulk_.push_back(std::move(bulk));
  heads_ += bulk_.back().head.size();
  return bulk_.back().head.size() - frame_header_bytes;
}

void outbox::release_messages()
{
  released_ = true;
  frames_.number_again(early_);
  ready_.insert(ready_.end(), early_.begin(), early_.end());
  early_ = std::vector<std::byte>{};
}

void outbox::finish()
{
  finishing_ = true;
  early_ = std::vector<std::byte>{};
  bulk_.clear();
  ends_.resize(ends_taken_);
  heads_ = 0;
}

std::optional<std::vector<std::byte>> outbox::take(seconds now)
{
  const bool pieces_may_go = released_ && !bulk_.empty() && in_flight_ <= limits_.window_bytes / 2;
  if (in_flight_ > 0 && !pieces_may_go && !finishing_) return std::nullopt;
  auto out = std::exchange(ready_, {});
  if (pieces_may_go) {
    const auto room = limits_.window_bytes - in_flight_ + limits_.piece_bytes;
    const auto& first = bulk_.front();
    out.reserve(out.size() + std::min(room, first.head.size() + first.bytes->size() - first.sent) + frame_header_bytes);
    while (!bulk_.empty() && in_flight_ + out.size() < limits_.window_bytes) add_bulk(out, now);
  }
  if (out.empty()) return std::nullopt;
  in_flight_ += out.size();
  return out;
}

void outbox::add_bulk(std::vector<std::byte>& out, seconds now)
{
  auto& first = bulk_.front();
  if (!first.head.empty()) {
    frames_.number_again(first.head);
    out.insert(out.end(), first.head.begin(), first.head.end());
    heads_ -= first.head.size();
    first.head = {};
  } else {
    const auto piece = std::span{*first.bytes}.subspan(first.sent).first(
        std::min<std::size_t>(limits_.piece_bytes, first.bytes->size() - first.sent));
    const auto begin = frames_.begin(frame_type::piece, out);
    out.insert(out.end(), piece.begin(), piece.end());
    frame_writer::end(begin, out);
    if (first.meter) {
      if (first.sent == 0) first.meter->began(now);
      first.meter->went(piece.size());
    }
    first.sent += piece.size();
    if (first.meter && first.sent == first.bytes->size()) {
      ends_[ends_taken_++].at = written_ + in_flight_ + out.size();
    }
  }
  if (first.sent == first.bytes->size()) bulk_.pop_front();
}

void outbox::written(std::size_t bytes)
{
  Expects(bytes <= in_flight_);
  in_flight_ -= bytes;
  written_ += bytes;
}

void outbox::in_socket(std::size_t bytes, seconds now)
{
  if (bytes > written_) return;  // of a handshake, before
  while (!ends_.empty() && ends_.front().at <= written_ - bytes) {
    ends_.front().meter->ended(now);
    ends_.pop_front();
    --ends_taken_;
  }
}

}  // namespace fastgpu::inline v0::detail
