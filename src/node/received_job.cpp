#include "node/received_job.hpp"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include <gsl/assert>

#include "detail/batch_region.hpp"
#include "detail/programs.hpp"

namespace fastgpu::inline v0::detail {
namespace {

aligned_bytes copy_of(const std::vector<std::byte>& bytes)
{
  auto copy = allocate_aligned(bytes.size(), heap());
  if (!bytes.empty()) std::memcpy(copy.get(), bytes.data(), bytes.size());
  return copy;
}

std::size_t bytes_of_data(const argument& a) { return static_cast<std::size_t>(count_of(whole_of(a))) * a.element_bytes; }

argument argument_of(const argument_description& what)
{
  argument a;
  a.kind = static_cast<argument_kind>(what.kind);
  a.edge = what.edge;
  a.rank = what.rank;
  a.element_bytes = what.element_bytes;
  a.halo = what.halo;
  for (int d = 0; d < what.rank; ++d) a.extent[d] = what.extent[d];
  for (int d = what.rank - 2; d >= 0; --d) a.stride[d] = a.stride[d + 1] * a.extent[d + 1];
  if (!what.fill.empty()) std::memcpy(a.fill, what.fill.data(), what.fill.size());
  return a;
}

failure unknown_program(const job_description& what)
{
  const auto named = programs_named(what.kernel);
  const auto kernel = "kernel '" + what.kernel + "'";
  if (what.kernel.empty() || named.empty()) {
    return {make_error_code(errc::kernel_not_registered), kernel + " is not known to this node"};
  }
  std::string here;
  std::size_t alike = 0;
  for (const auto* code : named) {
    const auto types = signature_of(*code);
    if (types == what.signature) ++alike;
    here += (here.empty() ? "" : " | ") + types;
  }
  if (alike > 1) {
    return {make_error_code(errc::kernel_not_registered),
            kernel + " has several programs on this node whose types read the same: " + what.signature};
  }
  return {make_error_code(errc::build_mismatch),
          kernel + " is known to this node, but not as " + what.signature + "; here: " + here};
}

}  // namespace

result<ref<received_job>> received_job::make(const job_description& what, content_cache& contents,
                                             const received_job_limits& limits)
{
  const auto* code = what.kernel.empty() ? nullptr : find_program(what.kernel, what.signature);
  if (code == nullptr) return unknown_program(what);
  if (auto why = check_description(what, *code, limits)) return *why;
  return ref<received_job>{new received_job{what, *code, contents}};
}

received_job::received_job(const job_description& what, const program& code, content_cache& contents)
    : contents_{contents},
      fold_{static_cast<fold_kind>(what.fold)},
      kernel_{copy_of(what.kernel_bytes)},
      operation_{copy_of(what.operation_bytes)}
{
  for (const auto& from : what.arguments) {
    auto a = argument_of(from);
    auto& value = values_.emplace_back();
    auto& place = places_.emplace_back();
    auto& broadcast = broadcasts_.emplace_back();
    hashes_.push_back(from.content);
    switch (a.kind) {
      case argument_kind::tally: break;
      case argument_kind::value:
        value = copy_of(from.value);
        a.data = value.get();
        break;
      case argument_kind::slices:
      case argument_kind::gather:
        place = mapped_bytes{bytes_of_data(a)};
        a.data = place.data();
        break;
      case argument_kind::broadcast:
        broadcast =
            bytes_of_data(a) == 0 ? std::make_shared<const mapped_bytes>() : contents.find(from.content, bytes_of_data(a));
        if (broadcast) a.data = broadcast->data();
        break;
    }
    arguments_.push_back(a);
  }
  data.shape = shape_of(what);
  data.code = &code;
  data.kernel = kernel_.get();
  data.operation = operation_.get();
  data.arguments = arguments_.data();
  data.argument_count = static_cast<std::uint32_t>(arguments_.size());
  data.width = what.width;
}

std::uint64_t received_job::data_bytes() const noexcept
{
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < arguments_.size(); ++i) {
    if (places_[i].data() != nullptr) bytes += bytes_of_data(arguments_[i]);
  }
  return bytes;
}

std::vector<std::uint32_t> received_job::missing() const
{
  std::vector<std::uint32_t> missing;
  for (std::uint32_t i = 0; i < arguments_.size(); ++i) {
    if (arguments_[i].kind == argument_kind::broadcast && !broadcasts_[i]) missing.push_back(i);
  }
  return missing;
}

std::optional<failure> received_job::store_piece(const job_data_piece& piece, std::span<const std::byte> bytes)
{
  const auto wrong = [&](const char* why) {
    return failure{make_error_code(errc::protocol_error), "a piece of argument " + std::to_string(piece.argument) +
                                                              " of kernel '" + data.code->kernel + "' " + why};
  };
  if (piece.argument >= arguments_.size()) return wrong("came, which there is not");
  auto& a = arguments_[piece.argument];
  if (a.kind != argument_kind::slices && a.kind != argument_kind::broadcast) return wrong("came, which takes none");
  box part;
  for (int d = 0; d < 3; ++d) {
    const auto extent = d < a.rank ? a.extent[d] : 1;
    if (piece.begin[d] < 0 || piece.begin[d] >= piece.end[d] || piece.end[d] > extent) {
      return wrong("lies outside its data");
    }
    part.begin[d] = piece.begin[d];
    part.end[d] = piece.end[d];
  }
  if (bytes.size() != static_cast<std::size_t>(count_of(part)) * a.element_bytes) return wrong("has another size");
  if (a.kind == argument_kind::slices) {
    copy_out(a, part, part, bytes.data());
    return std::nullopt;
  }

  if (bytes.size() != bytes_of_data(a)) return wrong("is not all of what is broadcast");
  auto& broadcast = broadcasts_[piece.argument];
  if (broadcast) return std::nullopt;  // kernels may be reading what is here
  broadcast = contents_.store(hashes_[piece.argument], bytes);
  if (!broadcast) return wrong("has another hash than was announced");
  a.data = broadcast->data();
  return std::nullopt;
}

void received_job::give_back(const interval_set& subtasks) noexcept
{
  for (std::size_t i = 0; i < arguments_.size(); ++i) {
    const auto& a = arguments_[i];
    if (a.kind != argument_kind::gather) continue;
    for (const auto& range : subtasks.intervals()) {
      for (const auto& part : boxes_of(data.shape, range.begin, range.end)) {
        const auto l = layout_of(a, part, part);
        std::size_t begin = 0;  // rows that follow upon each other go together: pages are longer than many a row
        std::size_t end = 0;
        for_each_row(l, [&](std::size_t at, std::size_t) {
          if (at != end) {
            places_[i].give_back(begin, end);
            begin = at;
          }
          end = at + l.row_bytes;
        });
        places_[i].give_back(begin, end);
      }
    }
  }
}

}  // namespace fastgpu::inline v0::detail
