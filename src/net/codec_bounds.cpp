#include "net/codec_bounds.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <variant>

#include <fastgpu/detail/argument.hpp>
#include <fastgpu/detail/border.hpp>
#include <fastgpu/detail/program.hpp>
#include <fastgpu/execute/execute.hpp>

#include "net/dispatch.hpp"

namespace fastgpu::inline v0::detail {
namespace {

/// Looks at one value after the other and remembers the first that is wrong.
class inspection {
 public:
  [[nodiscard]] std::string_view breach() const noexcept { return breach_; }

  void require(bool kept, std::string_view breach) noexcept
  {
    if (!kept && breach_.empty()) breach_ = breach;
  }

  void text(const std::string& what, std::size_t bytes_max = wire_string_bytes_max)
  {
    require(what.size() <= bytes_max, "a string is too long");
  }
  template <class T>
  void items(const std::vector<T>& what, std::size_t items_max = wire_items_max)
  {
    require(what.size() <= items_max, "a list is too long");
  }
  void labels(const std::vector<std::string>& what)
  {
    items(what, wire_labels_max);
    for (const auto& one : what) text(one);
  }
  void amount(double what) { require(std::isfinite(what) && what >= 0, "a number is not finite or below 0"); }

  void look(interval what) { require(what.begin <= what.end, "an interval ends before it begins"); }
  void look(const std::vector<interval>& what)
  {
    items(what);
    for (const auto& one : what) look(one);
  }

  void look(const failure& what)
  {
    constexpr std::int64_t number_max = std::numeric_limits<std::uint32_t>::max();
    text(what.detail);
    require(what.code.category() != category() ||
                (what.code.value() >= 1 && what.code.value() <= static_cast<int>(last_errc)),
            "an unknown error");
    require(what.code.value() >= 0, "an error below 0");
    require(what.subtask >= -1 && what.subtask <= number_max, "a subtask that cannot be");
    require(what.device >= -1 && what.device <= number_max, "a device that cannot be");
  }

  void look(const argument_description& what)
  {
    require(what.kind <= static_cast<std::uint8_t>(argument_kind::tally), "an unknown kind of argument");
    require(what.edge <= static_cast<std::uint8_t>(border::constant), "an unknown border");
    require(what.rank >= 0 && what.rank <= 3, "an argument's rank is not 0 to 3");
    // Whoever multiplies the extents need not look for an overflow.
    std::int64_t bytes = std::max<std::int64_t>(what.element_bytes, 1);
    for (const auto extent : what.extent) {
      require(extent >= 0, "an extent below 0");
      const bool overflows = __builtin_mul_overflow(bytes, std::max<std::int64_t>(extent, 1), &bytes);
      require(!overflows, "an argument too large");
    }
    require(what.halo >= 0 && what.halo <= halo_max, "a halo too wide");
    require(what.fill.size() <= fill_bytes_max, "a fill value too large");
    items(what.value);
  }

  void look(const job_description& what)
  {
    text(what.kernel);
    text(what.signature, wire_signature_bytes_max);
    items(what.kernel_bytes);
    items(what.operation_bytes);
    require(what.fold <= static_cast<std::uint8_t>(fold_kind::ordered), "an unknown way to fold");
    require(what.width >= 0, "a width below 0");
    require(what.rank >= 1 && what.rank <= 3, "a rank that is not 1 to 3");
    require(what.span_log2 <= 31, "a span too long");
    std::int64_t indices = 1;
    std::int64_t tiles = 1;
    for (const auto& d : what.dimensions) {
      require(d.extent >= 0 && d.tiles >= 0 && d.size >= 0 && d.longer >= 0, "a dimension below 0");
      if (__builtin_mul_overflow(indices, std::max<std::int64_t>(d.extent, 1), &indices) ||
          __builtin_mul_overflow(tiles, std::max<std::int64_t>(d.tiles, 1), &tiles)) {
        require(false, "a space too large");
      }
    }
    items(what.bounds);
    if (!what.bounds.empty()) {
      require(what.bounds.size() == std::size_t{what.subtasks} + 1, "as many bounds as subtasks, and one, are needed");
      const bool ascend = what.bounds.front() >= 0 && std::is_sorted(what.bounds.begin(), what.bounds.end());
      require(ascend, "bounds that go down");
    }
    items(what.arguments, wire_arguments_max);
    for (const auto& one : what.arguments) look(one);
  }

  void look(const device_info& what)
  {
    for (const auto* one :
         {&what.name, &what.kind, &what.backend, &what.model, &what.pci_address, &what.numeric_class}) {
      text(*one);
    }
    require(what.workers >= 1, "a device without workers");
    require(what.compute_capability >= 0 && what.driver >= 0, "a version below 0");
    labels(what.labels);
    amount(what.speed);
  }

  // Messages --------------------------------------------------------------------------------------------------------

  void look(const job_terms& what)
  {
    require(what.need.compute_capability >= 0, "a version below 0");
    labels(what.need.labels);
    require(what.batch_kind <= static_cast<std::uint8_t>(batching::kind::adaptive), "an unknown kind of batches");
    require(what.batch_size >= 1, "batches of nothing");
    amount(what.batch_target_s);
    amount(what.subtask_timeout_s);
  }
  void look(const open_job& what)
  {
    look(what.what);
    amount(what.seal_every_s);
    text(what.numeric_class);
    look(what.terms);
  }
  void look(const job_data_piece& what)
  {
    require(what.argument < wire_arguments_max, "an argument that cannot be");
    for (int d = 0; d < 3; ++d) {
      require(0 <= what.begin[d] && what.begin[d] <= what.end[d], "a box ends before it begins");
    }
  }
  void look(const grant_ranges& what) { look(what.ranges); }
  void look(const take_back&) {}
  void look(const seal_job& what)
  {
    require(what.request >= 1, "a request without a number");
    look(what.revoked);
  }
  void look(const acknowledge_seal& what) { require(what.seal >= 1, "a seal without a number"); }
  void look(const close_job&) {}
  void look(const ask_to_drain&) {}
  void look(const ask_description&) {}
  void look(const describe_node& what)
  {
    items(what.devices, wire_devices_max);
    for (const auto& one : what.devices) look(one);
  }
  void look(const job_opened& what)
  {
    require(what.workers >= 1, "a node without workers");
    amount(what.subtasks_per_second);
    items(what.missing, wire_arguments_max);
    for (const auto one : what.missing) require(one < wire_arguments_max, "an argument that cannot be");
    labels(what.numeric_classes);
  }
  void look(const job_refused& what) { look(what.why); }
  void look(const taken_back& what) { look(what.ranges); }
  void look(const job_sealed& what)
  {
    require(what.seal >= 1, "a seal without a number");
    look(what.fold_set);
    look(what.dropped);
    amount(what.work.busy_s);
  }
  void look(const backup_done& what) { look(what.range); }
  void look(const attempt_failed& what)
  {
    look(what.range);
    look(what.why);
  }
  void look(const partial_lost& what)
  {
    look(what.in_flight);
    look(what.why);
  }
  void look(const job_progress&) {}
  void look(const node_drains&) {}

 private:
  std::string_view breach_;
};

}  // namespace

std::string_view breach_of(const message& what)
{
  inspection look;
  std::visit([&](const auto& one) { look.look(one); }, what);
  return look.breach();
}

std::string_view breach_of(const hello& what)
{
  inspection look;
  for (const auto* one : {&what.name, &what.library, &what.build}) look.text(*one);
  constexpr auto all = role::node | role::submit | role::observe | role::operate;
  look.require(has(all, what.wanted), "an unknown role");
  return look.breach();
}

std::string_view breach_of(const refusal& what)
{
  inspection look;
  look.text(what.sentence);
  look.require(what.code >= errc{1} && what.code <= last_errc, "an unknown error");
  return look.breach();
}

std::string out_of_bounds(const message& what)
{
  const auto breach = breach_of(what);
  if (breach.empty()) return {};
  return std::string{dispatch_table[what.index()].name}.append(": ").append(breach);
}

}  // namespace fastgpu::inline v0::detail
