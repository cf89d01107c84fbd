#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <fastgpu/detail/program.hpp>
#include <fastgpu/device/device_info.hpp>

/// @file
/// History: how fast devices ran kernels before, which placements go by.

namespace fastgpu::inline v0::detail {

/// Jobs of 2^k to 2^(k+1) - 1 iteration indices are of class k: a small job's speed is mostly what starting it takes.
[[nodiscard]] int size_class_of(const space_shape& shape) noexcept;

/// What a device is called there: its name, numeric class and model; of the devices of a node, all of them, of which
/// some and a hash stand for very many.
[[nodiscard]] std::string history_name(const device_info& device);
[[nodiscard]] std::string history_name(std::span<const device_info> devices);

/// Whose speed. Points to names that it does not own.
struct history_key {
  std::string_view kernel;     ///< Registered name; empty where it has none, and then
  std::uintptr_t program = 0;  ///< the address of its program, which says nothing to another process; else 0.
  std::string_view device;     ///< history_name()
  int size_class = 0;
  friend auto operator<=>(const history_key&, const history_key&) = default;
};
[[nodiscard]] history_key history_key_of(const job_data& job, std::string_view device) noexcept;

/// What is known under one key of a registered kernel, as it is written to disk.
struct history_entry {
  std::string kernel;
  std::string device;
  int size_class = 0;
  std::int64_t date_s = 0;     ///< When the last speed was measured, seconds since 1970.
  std::vector<double> speeds;  ///< Iteration indices a second, the last one behind.
  std::size_t fresh = 0;       ///< So many of the last ones were measured since the entry was read or written.
};

/// The last speeds under each key, and their median: single measurements, however wrong, do not move it. Bounded; who
/// has been measured least recently is forgotten.
///
/// @par Threads  None of its own: its owner guards it.
class history {
 public:
  static constexpr std::size_t speeds_max = 15;  ///< Of one key: up to 7 wrong ones leave the median among the others.
  static constexpr std::size_t keys_max = 4096;
  static constexpr std::size_t name_bytes_max = 1024;  ///< Of a kernel or a device; longer ones are not kept.
  static constexpr int classes_apart_max = 3;

  /// Whether a speed can be one at all; others are neither noted nor read.
  [[nodiscard]] static bool is_speed(double indices_per_second) noexcept;

  void note(const history_key& key, double indices_per_second, std::int64_t date_s);

  /// The median under the key, or where there is none, of the same kernel and device at the nearest size class, three
  /// away at most, of two the larger; 0: none. O(log keys).
  [[nodiscard]] double speed(const history_key& key) const;

  /// From another history: all of an entry where nothing is known under its key, else its fresh speeds.
  /// @pre  1 to speeds_max speeds that can be some.
  void take(const history_entry& other);

  /// What can be written: entries of registered kernels, the last measured first.
  [[nodiscard]] std::vector<history_entry> entries() const;

  /// Whether these have fresh speeds, and the end of that.
  [[nodiscard]] bool changed() const noexcept { return changed_; }
  void mark_written() noexcept;

  [[nodiscard]] std::size_t size() const noexcept { return slots_.size(); }

 private:
  struct slot {
    history_entry entry;
    std::uint64_t used = 0;  ///< When it was measured last, counted in notes.
  };
  [[nodiscard]] slot& slot_of(const history_key& key);
  void add(slot& to, double speed, std::int64_t date_s);
  void forget_one();

  std::map<history_key, std::unique_ptr<slot>> slots_;  // keys point into the slots
  std::uint64_t notes_ = 0;
  bool changed_ = false;
};

}  // namespace fastgpu::inline v0::detail
