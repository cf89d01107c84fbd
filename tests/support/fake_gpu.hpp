#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "cuda/gpu.hpp"

/// @file
/// A GPU made of host memory, whose streams run their work late and in any order that events allow.

namespace support {

/// What a fake GPU is to do wrong.
struct gpu_faults {
  std::uint64_t seed = 1;              ///< Of the order in which streams get on.
  std::uint64_t memory_bytes = ~std::uint64_t{0};
  std::uint64_t pinned_bytes = ~std::uint64_t{0};
  std::uint64_t lost_after = ~std::uint64_t{0};  ///< Operations of streams; then nothing works any more.
  std::uint64_t refused_call = ~std::uint64_t{0};  ///< The call, counted from 0, that is not carried out.
  fastgpu::detail::gpu_error::kind refusal = fastgpu::detail::gpu_error::kind::refused;  ///< For which reason.
  std::uint64_t refused_allocation = ~std::uint64_t{0};  ///< Counted from 0: there is no memory for that one.
  bool cannot_load = false;            ///< No program was built for this GPU.
  std::uint32_t multiprocessors = 4;   ///< 32 blocks of a launch each, at most.
};

/// Nothing that is enqueued has happened when the call returns: ready() lets streams, chosen by the seed, do some
/// steps. A missing event shows as a wrong answer, with the seed; what is still enqueued when its memory goes, in
/// late_copies.
class fake_gpu final : public fastgpu::detail::gpu {
  using gpu_error = fastgpu::detail::gpu_error;
  using gpu_stream = fastgpu::detail::gpu_stream;
  using gpu_event = fastgpu::detail::gpu_event;

  struct event {
    std::uint64_t recorded = 0;
    std::uint64_t done = 0;
  };
  struct operation {
    std::function<void()> run;
    const event* until = nullptr;  // waits for it to be done `count` times
    std::uint64_t count = 0;
    std::function<bool()> ended = nullptr;  // waits for that to say so
  };
  struct stream {
    std::deque<operation> work;
  };

 public:
  /// How much was asked of it.
  struct counts {
    std::uint64_t operations = 0;
    std::uint64_t calls = 0;         ///< That may be refused: those that enqueue, and checks of programs' own.
    std::uint64_t allocations = 0;
    std::uint64_t bytes_max = 0;
    std::uint64_t bytes_out = 0;     ///< Copied in one piece from its memory to that of the host.
    std::uint64_t late_copies = 0;   ///< Copies to or from memory that had been released: defects.
  };

  explicit fake_gpu(const gpu_faults& faults = {}) : faults_{faults}, random_{faults.seed}
  {
    properties_.name = "fake";
    properties_.compute_capability = 90;
    properties_.multiprocessors = faults_.multiprocessors;
    properties_.memory_bytes = std::uint64_t{1} << 30;
  }
  ~fake_gpu() override
  {
    for (const auto& [memory, lent] : memory_) std::free(memory);
  }

  [[nodiscard]] const fastgpu::detail::gpu_properties& properties() const noexcept override { return properties_; }
  void make_current() override { check_alive(); }

  [[nodiscard]] gpu_stream create_stream() override
  {
    check_alive();
    return reinterpret_cast<gpu_stream>(streams_.emplace_back(std::make_unique<stream>()).get());
  }
  [[nodiscard]] gpu_event create_event() override
  {
    check_alive();
    return reinterpret_cast<gpu_event>(events_.emplace_back(std::make_unique<event>()).get());
  }
  void destroy(gpu_stream) noexcept override {}
  void destroy(gpu_event) noexcept override {}

  void record(gpu_event what, gpu_stream on) override
  {
    auto* e = reinterpret_cast<event*>(what);
    const auto number = ++e->recorded;
    enqueue(on, [e, number] { e->done = std::max(e->done, number); });
  }
  void wait(gpu_stream on, gpu_event what) override
  {
    count_call();
    const auto* e = reinterpret_cast<const event*>(what);
    reinterpret_cast<stream*>(on)->work.push_back({[] {}, e, e->recorded, nullptr});
  }
  [[nodiscard]] bool ready(gpu_event what) override
  {
    check_alive();
    for (auto steps = random_() % 6; steps > 0; --steps) step();
    check_alive();
    const auto* e = reinterpret_cast<const event*>(what);
    return e->done >= e->recorded;
  }

  [[nodiscard]] void* allocate(std::size_t bytes) override
  {
    check_alive();
    const std::scoped_lock lock{mutex_};
    if (asked_for_++ == faults_.refused_allocation || bytes > faults_.memory_bytes - in_use_) {
      throw gpu_error{gpu_error::kind::out_of_memory, "fake: no memory for " + std::to_string(bytes) + " bytes"};
    }
    return give(bytes, true);
  }
  void release(void* memory) noexcept override { take_back(memory); }
  [[nodiscard]] void* allocate_pinned(std::size_t bytes) override
  {
    const std::scoped_lock lock{mutex_};
    if (asked_for_++ == faults_.refused_allocation || bytes > faults_.pinned_bytes - pinned_in_use_) {
      throw gpu_error{gpu_error::kind::out_of_memory, "fake: no pinned memory for " + std::to_string(bytes) + " bytes"};
    }
    return give(bytes, false);
  }
  void release_pinned(void* memory) noexcept override { take_back(memory); }
  [[nodiscard]] void* memory_pool() noexcept override { return nullptr; }

  void copy(void* to, const void* from, std::size_t bytes, gpu_stream on) override
  {
    enqueue(on, [=, this] {
      if (!look_at(to) || !look_at(from)) return;
      std::memcpy(to, from, bytes);
      if (is_own(from) && !is_own(to)) counts_.bytes_out += bytes;
    });
  }
  void copy(const fastgpu::detail::gpu_box_copy& box, gpu_stream on) override
  {
    enqueue(on, [box, this] {
      if (!look_at(box.to) || !look_at(box.from)) return;
      for (std::size_t p = 0; p < box.planes; ++p) {
        for (std::size_t r = 0; r < box.rows; ++r) {
          std::memcpy(static_cast<std::byte*>(box.to) + p * box.to_plane_pitch + r * box.to_pitch,
                      static_cast<const std::byte*>(box.from) + p * box.from_plane_pitch + r * box.from_pitch,
                      box.row_bytes);
        }
      }
    });
  }
  void stage(const fastgpu::detail::argument& slices, const fastgpu::detail::box& region, std::byte* to,
             gpu_stream on) override
  {
    enqueue(on, [=] { fastgpu::detail::stage_slice(slices, region, to); });
  }
  void check(int native_error, const char* doing) override
  {
    count_call();
    if (native_error != 0 || faults_.cannot_load) {
      throw gpu_error{gpu_error::kind::refused, std::string{doing} + ": no kernel image for this GPU"};
    }
  }

  /// What emulated programs enqueue. @param on  A stream of whichever fake GPU.
  static void enqueue_kernel(void* on, std::function<void()> run)
  {
    static_cast<stream*>(on)->work.push_back({std::move(run), nullptr, 0, nullptr});
  }

  /// A kernel that holds up its stream until `ended` says that it is through.
  static void enqueue_until(void* on, std::function<bool()> ended)
  {
    static_cast<stream*>(on)->work.push_back({[] {}, nullptr, 0, std::move(ended)});
  }

  [[nodiscard]] const counts& asked() const noexcept { return counts_; }

 private:
  void check_alive() const
  {
    if (counts_.operations >= faults_.lost_after) {
      throw gpu_error{gpu_error::kind::lost, "fake: an illegal address was accessed"};
    }
  }
  void count_call()
  {
    check_alive();
    if (counts_.calls++ == faults_.refused_call) throw gpu_error{faults_.refusal, "fake: an invalid argument"};
  }
  void enqueue(gpu_stream on, std::function<void()> run)
  {
    count_call();
    reinterpret_cast<stream*>(on)->work.push_back({std::move(run), nullptr, 0, nullptr});
  }
  /// One operation of a stream that can go on, if any can.
  void step()
  {
    const auto first = random_() % streams_.size();
    for (std::size_t i = 0; i < streams_.size(); ++i) {
      auto& work = streams_[(first + i) % streams_.size()]->work;
      if (work.empty()) continue;
      if (work.front().until != nullptr && work.front().until->done < work.front().count) continue;
      if (work.front().ended && !work.front().ended()) continue;
      const auto next = std::move(work.front());
      work.pop_front();
      if (++counts_.operations >= faults_.lost_after) return;
      next.run();
      return;
    }
  }
  void* give(std::size_t bytes, bool device)
  {
    std::unique_ptr<void, void (*)(void*)> memory{std::aligned_alloc(256, (bytes + 255) / 256 * 256), &std::free};
    std::memset(memory.get(), 0xa5, bytes);
    memory_[memory.get()] = {bytes, device, false};
    (device ? in_use_ : pinned_in_use_) += bytes;
    ++counts_.allocations;
    counts_.bytes_max = std::max(counts_.bytes_max, in_use_);
    return memory.release();
  }
  void take_back(void* memory) noexcept
  {
    const std::scoped_lock lock{mutex_};
    auto& lent = memory_.at(memory);
    (lent.device ? in_use_ : pinned_in_use_) -= lent.bytes;
    lent.released = true;
    std::memset(memory, 0x5a, lent.bytes);
  }
  /// Whether the memory, if it is this GPU's at all, is not released.
  bool look_at(const void* at)
  {
    const std::scoped_lock lock{mutex_};
    auto after = memory_.upper_bound(const_cast<void*>(at));
    if (after == memory_.begin()) return true;
    const auto& [memory, lent] = *--after;
    if (static_cast<const std::byte*>(at) - static_cast<const std::byte*>(memory) >=
        static_cast<std::ptrdiff_t>(lent.bytes)) {
      return true;
    }
    if (lent.released) ++counts_.late_copies;
    return !lent.released;
  }

  /// Whether it lies in memory of the GPU's own.
  bool is_own(const void* at)
  {
    const std::scoped_lock lock{mutex_};
    auto after = memory_.upper_bound(const_cast<void*>(at));
    if (after == memory_.begin()) return false;
    const auto& [memory, lent] = *--after;
    return lent.device && static_cast<const std::byte*>(at) - static_cast<const std::byte*>(memory) <
                              static_cast<std::ptrdiff_t>(lent.bytes);
  }

  struct block {
    std::uint64_t bytes = 0;
    bool device = false;
    bool released = false;  // kept until the end, so that late users are found out
  };
  gpu_faults faults_;
  std::mt19937_64 random_;
  fastgpu::detail::gpu_properties properties_;
  std::vector<std::unique_ptr<stream>> streams_;
  std::vector<std::unique_ptr<event>> events_;
  std::mutex mutex_;  // sessions may end on another thread
  std::map<void*, block, std::less<>> memory_;
  std::uint64_t in_use_ = 0;
  std::uint64_t pinned_in_use_ = 0;
  std::uint64_t asked_for_ = 0;  // allocations, refused ones too
  counts counts_;
};

}  // namespace support
