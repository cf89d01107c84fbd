#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "nccl/communicator.hpp"
#include "support/fake_gpu.hpp"

/// @file
/// Collectives among fake GPUs of one process, with faults: what NCCL is among processes.

namespace support {

/// What goes wrong at one call of a member's communicators, counted over all of them from 0.
enum class rank_fault {
  fails,  ///< Its communicator fails, as where a cable is out; the others learn of it.
  hangs,  ///< Its communicator gets no further; nobody learns of it.
};

/// Where ranks meet. A rank that joins, starts a collective or reads one's result does so under one mutex.
///
/// A collective reads its inputs when the last rank has come to it in its stream, and its results are rubbish before
/// and after a failure: what is looked at too early, or changed too early, shows in the value.
///
/// @par Threads  Any.
class rendezvous {
 public:
  using member_id = fastgpu::detail::member_id;

  /// @param at  Call of `who`'s communicators: join, status, reduce, all_gather and poll count.
  void plan(member_id who, std::uint64_t at, rank_fault what)
  {
    const std::scoped_lock lock{mutex_};
    faults_[{who, at}] = what;
  }
  /// The member's process has died: its ranks are gone, and the others find their connections closed.
  void died(member_id who)
  {
    const std::scoped_lock lock{mutex_};
    for (auto& [id, m] : meetings_) {
      if (std::find(m->members.begin(), m->members.end(), who) != m->members.end()) break_up(*m);
    }
  }

  /// Meetings at which at least one rank has joined.
  [[nodiscard]] std::size_t meetings() const
  {
    const std::scoped_lock lock{mutex_};
    return meetings_.size();
  }
  /// Collectives that came to an end.
  [[nodiscard]] std::size_t collectives() const
  {
    const std::scoped_lock lock{mutex_};
    return collectives_;
  }
  [[nodiscard]] std::uint64_t calls_of(member_id who) const
  {
    const std::scoped_lock lock{mutex_};
    const auto at = calls_.find(who);
    return at == calls_.end() ? 0 : at->second;
  }

 private:
  friend class host_communicator;
  friend class host_communicators;

  struct part {
    std::optional<fastgpu::detail::reduce_request> reduce;  // none: gather
    const std::byte* from = nullptr;
    std::byte* to = nullptr;
    std::size_t bytes_from = 0;
    std::size_t bytes_to = 0;
  };
  struct meeting {
    std::vector<member_id> members;
    std::vector<bool> joined;
    bool broken = false;
    std::map<std::uint64_t, std::vector<std::optional<part>>> rounds;
    std::map<std::uint64_t, bool> done;
  };

  static void spoil(const part& p)
  {
    if (p.to != nullptr) std::memset(p.to, 0xee, p.bytes_to);
  }
  static void break_up(meeting& m)
  {
    m.broken = true;
    for (auto& [round, parts] : m.rounds) {
      if (m.done[round]) continue;
      for (auto& p : parts) {
        if (p) spoil(*p);
        p.reset();
      }
    }
  }

  template <class T>
  static void merge(T* to, const T* from, std::size_t count, fastgpu::detail::merge_kind how)
  {
    using fastgpu::detail::merge_kind;
    for (std::size_t i = 0; i < count; ++i) {
      switch (how) {
        case merge_kind::sum: to[i] = fastgpu::sum<T>{}(to[i], from[i]); break;
        case merge_kind::minimum: to[i] = std::min(to[i], from[i]); break;
        case merge_kind::maximum: to[i] = std::max(to[i], from[i]); break;
        case merge_kind::other: break;
      }
    }
  }
  static void merge(std::byte* to, const std::byte* from, const fastgpu::detail::reduce_request& r)
  {
    using fastgpu::detail::scalar_kind;
    const auto as = [&]<class T>(T) {
      merge(reinterpret_cast<T*>(to), reinterpret_cast<const T*>(from), r.count, r.merge);
    };
    switch (r.scalar) {
      case scalar_kind::int32: as(std::int32_t{}); break;
      case scalar_kind::uint32: as(std::uint32_t{}); break;
      case scalar_kind::int64: as(std::int64_t{}); break;
      case scalar_kind::uint64: as(std::uint64_t{}); break;
      case scalar_kind::float32: as(float{}); break;
      case scalar_kind::float64: as(double{}); break;
      case scalar_kind::none: break;
    }
  }

  /// All ranks have come: the collective happens at once.
  void carry_out(meeting& m, std::uint64_t round)
  {
    auto& parts = m.rounds[round];
    if (parts[0]->reduce) {
      auto& to = *parts[parts[0]->reduce->root];
      std::vector<std::byte> total{parts[0]->from, parts[0]->from + parts[0]->bytes_from};
      for (std::size_t r = 1; r < parts.size(); ++r) merge(total.data(), parts[r]->from, *parts[r]->reduce);
      std::memcpy(to.to, total.data(), total.size());
    } else {
      for (auto& p : parts) {
        for (std::size_t r = 0; r < parts.size(); ++r) {
          std::memcpy(p->to + r * p->bytes_from, parts[r]->from, p->bytes_from);
        }
      }
    }
    m.done[round] = true;
    ++collectives_;
  }

  std::optional<rank_fault> next_call(member_id who)
  {
    const auto at = faults_.find({who, calls_[who]++});
    return at == faults_.end() ? std::nullopt : std::optional{at->second};
  }

  mutable std::mutex mutex_;
  std::map<std::array<std::byte, 128>, std::shared_ptr<meeting>> meetings_;
  std::map<std::pair<member_id, std::uint64_t>, rank_fault> faults_;
  std::map<member_id, std::uint64_t> calls_;
  std::uint64_t ids_ = 0;
  std::size_t collectives_ = 0;
};

class host_communicator final : public fastgpu::detail::communicator {
  using communicator_status = fastgpu::detail::communicator_status;
  using collective_status = fastgpu::detail::collective_status;

 public:
  host_communicator(rendezvous& where, fastgpu::detail::gpu& on, std::shared_ptr<rendezvous::meeting> at,
                    std::uint32_t rank)
      : where_{where}, on_{on}, event_{on.create_event()}, at_{std::move(at)}, rank_{rank}
  {
  }
  ~host_communicator() override { abort(); }

  communicator_status status() override
  {
    const std::scoped_lock lock{where_.mutex_};
    if (!goes_on()) return failed_ ? communicator_status::failed : communicator_status::starting;
    return std::all_of(at_->joined.begin(), at_->joined.end(), [](bool j) { return j; })
               ? communicator_status::ready
               : communicator_status::starting;
  }
  void reduce(const fastgpu::detail::reduce_request& r, fastgpu::detail::gpu_stream on) override
  {
    using fastgpu::detail::scalar_kind;
    const bool four =
        r.scalar == scalar_kind::int32 || r.scalar == scalar_kind::uint32 || r.scalar == scalar_kind::float32;
    const auto bytes = r.count * (four ? 4 : 8);
    auto* to = r.root == rank_ ? static_cast<std::byte*>(r.to) : nullptr;
    begin({r, static_cast<const std::byte*>(r.from), to, bytes, bytes}, on);
  }
  void all_gather(const void* from, void* to, std::size_t bytes, fastgpu::detail::gpu_stream on) override
  {
    begin({std::nullopt, static_cast<const std::byte*>(from), static_cast<std::byte*>(to), bytes,
           bytes * at_->members.size()},
          on);
  }
  collective_status poll() override
  {
    const bool came = on_.ready(event_);
    const std::scoped_lock lock{where_.mutex_};
    if (!goes_on()) return failed_ ? collective_status::failed : collective_status::under_way;
    return came && at_->done[round_] ? collective_status::done : collective_status::under_way;
  }
  void abort() noexcept override
  {
    const std::scoped_lock lock{where_.mutex_};
    if (*aborted_) return;
    *aborted_ = true;
    rendezvous::break_up(*at_);  // whoever waits for this rank finds the connection closed
    fail("aborted");
  }
  const fastgpu::failure& why() const noexcept override { return why_; }

 private:
  void fail(const char* how)
  {
    failed_ = true;
    why_ = {make_error_code(fastgpu::errc::device_failed), std::string{"fake: "} + how};
  }
  /// Counts a call. Under the mutex.
  bool goes_on()
  {
    const auto fault = where_.next_call(at_->members[rank_]);
    if (fault == rank_fault::hangs) hangs_ = true;
    if (fault == rank_fault::fails) {
      rendezvous::break_up(*at_);
      fail("a cable is out");
    }
    if (failed_ || hangs_) return false;
    if (at_->broken && !at_->done[round_]) fail("a connection was closed");
    return !failed_;
  }
  void begin(const rendezvous::part& what, fastgpu::detail::gpu_stream on)
  {
    std::uint64_t round = 0;
    {
      const std::scoped_lock lock{where_.mutex_};
      round = ++round_;
      if (!goes_on()) return;
    }
    fake_gpu::enqueue_kernel(on, [&where = where_, at = at_, what, round, rank = rank_] {
      const std::scoped_lock in_stream{where.mutex_};
      if (at->broken) return;
      rendezvous::spoil(what);
      auto& parts = at->rounds[round];
      parts.resize(at->members.size());
      parts[rank] = what;
      if (std::all_of(parts.begin(), parts.end(), [](const auto& p) { return p.has_value(); })) {
        where.carry_out(*at, round);
      }
    });
    fake_gpu::enqueue_until(on, [&where = where_, at = at_, round, aborted = aborted_, from = what.from,
                                 looks = 0]() mutable {
      const std::scoped_lock in_stream{where.mutex_};
      if (at->done[round]) return true;
      (void)*static_cast<const volatile std::byte*>(from);  // until it has ended, it reads
      return *aborted && ++looks > 3;  // as a kernel of NCCL's: what others do does not end it, nor an abort at once
    });
    on_.record(event_, on);
  }

  rendezvous& where_;
  fastgpu::detail::gpu& on_;
  fastgpu::detail::gpu_event event_;
  std::shared_ptr<rendezvous::meeting> at_;
  std::uint32_t rank_;
  std::uint64_t round_ = 0;
  bool failed_ = false;
  bool hangs_ = false;
  std::shared_ptr<bool> aborted_ = std::make_shared<bool>(false);  // guarded by the mutex
  fastgpu::failure why_;
};

class host_communicators final : public fastgpu::detail::communicators {
 public:
  host_communicators(rendezvous& where, fastgpu::detail::gpu& on) : where_{where}, on_{on} {}

  /// From now on there is no library.
  void take_away() { there_ = false; }

  fastgpu::result<fastgpu::detail::communicator_id> make_id() override
  {
    if (!there_) return none();
    const std::scoped_lock lock{where_.mutex_};
    fastgpu::detail::communicator_id id;
    const auto number = ++where_.ids_;
    std::memcpy(id.bytes.data(), &number, sizeof number);
    return id;
  }
  fastgpu::result<std::unique_ptr<fastgpu::detail::communicator>> join(const fastgpu::detail::membership& group,
                                                                       fastgpu::detail::member_id me) override
  {
    if (!there_) return none();
    const std::scoped_lock lock{where_.mutex_};
    auto& at = where_.meetings_[group.id.bytes];
    if (!at) {
      at = std::make_shared<rendezvous::meeting>();
      at->members = group.members;
      at->joined.resize(group.members.size());
    }
    const auto rank = rank_of(group, me);
    const auto fault = where_.next_call(me);
    if (fault == rank_fault::fails) rendezvous::break_up(*at);
    if (!fault) at->joined[rank] = true;  // else the others wait for it in vain
    return std::unique_ptr<fastgpu::detail::communicator>{std::make_unique<host_communicator>(where_, on_, at, rank)};
  }

 private:
  static fastgpu::failure none() { return {make_error_code(fastgpu::errc::no_usable_device), "fake: no NCCL"}; }

  rendezvous& where_;
  fastgpu::detail::gpu& on_;
  bool there_ = true;
};

}  // namespace support
