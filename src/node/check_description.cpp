#include <bit>
#include <cstddef>
#include <initializer_list>
#include <string>
#include <utility>

#include <fastgpu/detail/border.hpp>

#include "node/job_description.hpp"

/// @file
/// What is checked of a job from elsewhere, before anything is made of it.

namespace fastgpu::inline v0::detail {
namespace {

using problem = std::optional<failure>;

failure refuse(errc code, std::string why) { return {make_error_code(code), std::move(why)}; }

/// The product, where it is `most` at the highest; a value above `most` else.
std::uint64_t product_up_to(std::uint64_t most, std::initializer_list<std::uint64_t> factors)
{
  std::uint64_t product = 1;
  for (const auto f : factors) {
    if (f == 0) return 0;
  }
  for (const auto f : factors) {
    if (__builtin_mul_overflow(product, f, &product) || product > most) return most + 1;
  }
  return product;
}

// Types ---------------------------------------------------------------------------------------------------------------

problem check_types(const job_description& job, const program& code)
{
  const auto differs = [&](const char* what, std::uint64_t here, std::uint64_t there) {
    return refuse(errc::build_mismatch, "kernel '" + job.kernel + "': " + what + " is " + std::to_string(here) +
                                            " here and " + std::to_string(there) + " at the coordinator");
  };
  if (!code.travels) {
    return refuse(errc::build_mismatch, "kernel '" + job.kernel + "' is not trivially copyable here");
  }
  if (job.kernel_bytes.size() != code.kernel_bytes) {
    return differs("its size", code.kernel_bytes, job.kernel_bytes.size());
  }
  if (job.operation_bytes.size() != code.operation_bytes) {
    return differs("its operation's size", code.operation_bytes, job.operation_bytes.size());
  }
  if (job.rank != code.rank) {
    return differs("its number of dimensions", static_cast<std::uint64_t>(code.rank),
                   static_cast<std::uint32_t>(job.rank));
  }
  if (job.arguments.size() != code.argument_count) {
    return differs("its number of arguments", code.argument_count, job.arguments.size());
  }
  return std::nullopt;
}

// Reduction -----------------------------------------------------------------------------------------------------------

/// The same rules by which a coordinator chooses: other folds would find no code in the program.
bool fold_fits(const program& code, std::uint8_t fold)
{
  if (fold > static_cast<std::uint8_t>(fold_kind::ordered)) return false;
  const auto* values = code.values;
  switch (static_cast<fold_kind>(fold)) {
    case fold_kind::none: return values == nullptr;
    case fold_kind::single: return values != nullptr && (values->order_free || values->commutative);
    case fold_kind::exact:
      return values != nullptr && !values->order_free && values->exact_bytes > 0 && !code.vector_value;
    case fold_kind::ordered: return values != nullptr && !values->order_free;
  }
  return false;
}

problem check_reduction(const job_description& job, const program& code, std::uint64_t bytes_max)
{
  if (!fold_fits(code, job.fold)) {
    return refuse(errc::invalid_argument,
                  "kernel '" + job.kernel + "' cannot be reduced in way " + std::to_string(job.fold));
  }
  if (job.width < 1 || (job.width != 1 && !code.vector_value)) {
    return refuse(errc::invalid_argument, "a reduction to " + std::to_string(job.width) + " elements");
  }
  if (code.values != nullptr) {
    const auto bytes = product_up_to(bytes_max, {code.values->bytes, static_cast<std::uint64_t>(job.width)});
    if (bytes > bytes_max || code.values->exact_bytes > bytes_max) {
      return refuse(errc::invalid_argument, "its value has more than " + std::to_string(bytes_max) + " bytes");
    }
  }
  return std::nullopt;
}

// Shape ---------------------------------------------------------------------------------------------------------------

problem check_dimension(const dimension_description& dim, int number)
{
  const auto wrong = [&](const std::string& why) {
    return refuse(errc::invalid_argument, "space: dimension " + std::to_string(number) + " " + why);
  };
  if (dim.extent < 0 || dim.tiles < 0 || dim.size < 1 || dim.longer < 0 || dim.longer > dim.tiles) {
    return wrong("is none");
  }
  std::int64_t end = 0;
  if (__builtin_mul_overflow(dim.tiles, dim.size, &end) || __builtin_add_overflow(end, dim.longer, &end)) {
    return wrong("is too long");
  }
  if (end < dim.extent) return wrong("is not covered by its tiles");
  const dimension as_used{dim.extent, dim.tiles, dim.size, dim.longer};
  if (dim.tiles > 0 && tile_begin(as_used, dim.tiles - 1) >= dim.extent) return wrong("has a tile without indices");
  return std::nullopt;
}

problem check_bounds(const job_description& job)
{
  const auto& first = job.dimensions[0];
  if (job.rank != 1 || job.bounds.size() != std::uint64_t{job.subtasks} + 1 || first.tiles != job.subtasks ||
      first.size != 1 || first.longer != 0 || job.bounds.front() != 0 || job.bounds.back() != first.extent) {
    return refuse(errc::invalid_argument, "space: its bounds are not those of its subtasks");
  }
  for (std::size_t i = 1; i < job.bounds.size(); ++i) {
    if (job.bounds[i] <= job.bounds[i - 1]) {
      return refuse(errc::invalid_argument, "space: subtask " + std::to_string(i - 1) + " has no indices");
    }
  }
  return std::nullopt;
}

problem check_shape(const job_description& job)
{
  constexpr std::uint64_t subtasks_max = 0xffffffff;
  constexpr std::uint64_t indices_max = static_cast<std::uint64_t>(INT64_MAX);
  if (job.span_log2 > 31) return refuse(errc::invalid_argument, "space: its spans are too long");
  std::uint64_t tiles[3] = {1, 1, 1};
  std::uint64_t indices[3] = {1, 1, 1};
  const bool listed = !job.bounds.empty();
  for (int d = 0; d < 3; ++d) {
    const auto& dim = job.dimensions[d];
    if (d >= job.rank) {
      if (dim.extent != 1 || dim.tiles != 1) {
        return refuse(errc::invalid_argument, "space: it has more dimensions than it says");
      }
      continue;
    }
    if (dim.extent < 0 || dim.tiles < 0) return refuse(errc::invalid_argument, "space: an extent is negative");
    if (!listed) {
      if (auto why = check_dimension(dim, d)) return why;
    }
    tiles[d] = static_cast<std::uint64_t>(dim.tiles);
    indices[d] = static_cast<std::uint64_t>(dim.extent > 1 ? dim.extent : 1);
  }
  if (product_up_to(subtasks_max, {tiles[0], tiles[1], tiles[2]}) != job.subtasks) {
    return refuse(errc::invalid_argument, "space: it has not " + std::to_string(job.subtasks) + " subtasks");
  }
  if (product_up_to(indices_max, {indices[0], indices[1], indices[2]}) > indices_max) {
    return refuse(errc::invalid_argument, "space: more than 2^63 - 1 indices");
  }
  return listed ? check_bounds(job) : std::nullopt;
}

// Arguments -----------------------------------------------------------------------------------------------------------

bool kind_fits(const argument_form& form, const argument_description& a)
{
  if (a.kind > static_cast<std::uint8_t>(argument_kind::tally)) return false;
  const auto kind = static_cast<argument_kind>(a.kind);
  return kind == form.kind ||
         (form.kind == argument_kind::broadcast && kind == argument_kind::slices && a.halo == 0);
}

/// Checks one argument and adds the bytes of its data to `data_bytes`.
problem check_argument(const job_description& job, std::size_t number, const argument_form& form,
                       std::uint64_t data_bytes_max, std::uint64_t& data_bytes)
{
  const auto& a = job.arguments[number];
  const auto wrong = [&](errc code, const std::string& why) {
    return refuse(code, "argument " + std::to_string(number) + " of kernel '" + job.kernel + "' " + why);
  };
  if (!kind_fits(form, a)) return wrong(errc::build_mismatch, "is of another kind here");
  if (a.element_bytes != form.element_bytes) {
    return wrong(errc::build_mismatch, "has elements of " + std::to_string(form.element_bytes) + " bytes here and " +
                                           std::to_string(a.element_bytes) + " at the coordinator");
  }
  if (a.rank != form.rank) return wrong(errc::build_mismatch, "has another number of dimensions here");
  const auto kind = static_cast<argument_kind>(a.kind);
  if (a.value.size() != (kind == argument_kind::value ? a.element_bytes : 0)) {
    return wrong(errc::invalid_argument, "has a value of another size");
  }

  const bool with_halo = kind == argument_kind::slices && a.halo > 0;
  const bool with_fill = with_halo && a.edge == static_cast<std::uint8_t>(border::constant);
  if (a.halo < 0 || a.halo > halo_max || (a.halo > 0 && !with_halo) ||
      a.edge > static_cast<std::uint8_t>(border::constant) || (with_halo && a.element_bytes > fill_bytes_max) ||
      a.fill.size() != (with_fill ? a.element_bytes : 0)) {
    return wrong(errc::invalid_argument, "has a halo that there cannot be");
  }

  const bool of_space = kind == argument_kind::slices || kind == argument_kind::gather;
  std::uint64_t grown[3] = {1, 1, 1};
  std::uint64_t size[3] = {1, 1, 1};
  for (int d = 0; d < 3; ++d) {
    if (a.extent[d] < 0 || (d >= form.rank && a.extent[d] != 1)) return wrong(errc::invalid_argument, "has no extents");
    if (of_space && (form.rank != job.rank || a.extent[d] != job.dimensions[d].extent)) {
      return wrong(errc::invalid_argument, "has not the shape of the iteration space");
    }
    size[d] = static_cast<std::uint64_t>(a.extent[d]);
    grown[d] = d < form.rank ? size[d] + 2 * static_cast<std::uint64_t>(a.halo) : 1;
  }
  if (form.rank == 0) return std::nullopt;
  // With the halo: no block, nor what a GPU takes of many, then has more bytes than can be counted.
  const auto bytes = product_up_to(data_bytes_max, {size[0], size[1], size[2], a.element_bytes});
  if (product_up_to(data_bytes_max, {grown[0], grown[1], grown[2], a.element_bytes}) > data_bytes_max ||
      bytes > data_bytes_max - data_bytes) {
    return wrong(errc::invalid_argument, "has more data than this node takes");
  }
  data_bytes += bytes;
  return std::nullopt;
}

}  // namespace

std::optional<failure> check_description(const job_description& job, const program& code,
                                         const received_job_limits& limits)
{
  if (auto why = check_types(job, code)) return why;
  if (auto why = check_shape(job)) return why;
  if (auto why = check_reduction(job, code, limits.value_bytes_max)) return why;
  std::uint64_t data_bytes = 0;
  for (std::size_t i = 0; i < job.arguments.size(); ++i) {
    if (auto why = check_argument(job, i, code.arguments[i], limits.data_bytes_max, data_bytes)) return why;
  }
  return std::nullopt;
}

}  // namespace fastgpu::inline v0::detail
