#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <fastgpu_generated.h>
#include <gsl/assert>

#include "net/codec_bounds.hpp"
#include "net/dispatch.hpp"

namespace fastgpu::inline v0::detail {
namespace {

/// Conversions out of tables that the verifier has passed. Parts of a body may lie on top of each other, so that a
/// short one would become large in memory: what is taken out of it is counted, and may not be more than it is long.
class table_reader {
 public:
  explicit table_reader(std::size_t body_bytes) : left_{body_bytes} {}

  [[nodiscard]] std::string_view breach() const noexcept { return breach_; }

  // Parts -----------------------------------------------------------------------------------------------------------

  bool spend(std::size_t bytes)
  {
    if (bytes > left_) breach_ = "its parts overlap";
    left_ -= std::min(bytes, left_);
    return breach_.empty();
  }
  template <class Vector>
  bool spend(const Vector* what, std::size_t item_bytes)
  {
    return what != nullptr && spend(std::size_t{what->size()} * item_bytes);
  }
  /// The verifier of FlatBuffers 2.0 looks at where a vector's length lies, and not at where its items do.
  template <class T, class Vector>
  bool lies_well(const Vector* what)
  {
    if (what == nullptr || reinterpret_cast<std::uintptr_t>(what->Data()) % alignof(T) == 0) return true;
    breach_ = "a list does not lie where it should";
    return false;
  }

  void take(std::string& to, const flatbuffers::String* from)
  {
    if (spend(from, 1)) to.assign(from->c_str(), from->size());
    else to.clear();
  }
  void take(std::vector<std::byte>& to, const flatbuffers::Vector<std::uint8_t>* from)
  {
    if (!spend(from, 1)) return;
    const auto* bytes = reinterpret_cast<const std::byte*>(from->data());
    to.assign(bytes, bytes + from->size());
  }
  template <class T>
  void take(std::vector<T>& to, const flatbuffers::Vector<T>* from)
  {
    if (lies_well<T>(from) && spend(from, sizeof(T))) to.assign(from->begin(), from->end());
  }
  void take(std::vector<interval>& to, const flatbuffers::Vector<const wire::interval*>* from)
  {
    if (!spend(from, sizeof(wire::interval))) return;
    to.reserve(from->size());
    for (const auto* one : *from) to.push_back({one->begin(), one->end()});
  }
  void take(std::vector<std::string>& to, const flatbuffers::Vector<flatbuffers::Offset<flatbuffers::String>>* from)
  {
    if (!spend(from, 2 * sizeof(flatbuffers::uoffset_t))) return;
    to.reserve(from->size());
    for (const auto* one : *from) take(to.emplace_back(), one);
  }
  template <class T, class Table>
  void take(std::vector<T>& to, const flatbuffers::Vector<flatbuffers::Offset<Table>>* from)
  {
    if (!spend(from, 2 * sizeof(flatbuffers::uoffset_t))) return;
    to.reserve(from->size());
    for (const auto* one : *from) to.push_back(value(*one));
  }
  template <std::size_t N, class Bytes>
  void take(std::array<std::uint8_t, N>& to, const Bytes* from)
  {
    if (from != nullptr) std::memcpy(to.data(), from->bytes()->data(), N);
  }
  void take(std::int64_t (&to)[3], const wire::int64x3* from)
  {
    if (from == nullptr) return;
    to[0] = from->a();
    to[1] = from->b();
    to[2] = from->c();
  }
  void take(interval& to, const wire::interval* from)
  {
    if (from != nullptr) to = {from->begin(), from->end()};
  }

  void take(failure& to, const wire::failure_reason* from)
  {
    if (from == nullptr) return;
    switch (from->category()) {
      case 0: break;
      case 1: to.code = {from->number(), category()}; break;
      case 2:
        if (from->number() != 0) to.code = {from->number(), std::generic_category()};
        break;
      case 3:
        if (from->number() != 0) to.code = {from->number(), std::system_category()};
        break;
      default: to.code = make_error_code(errc{}); break;  // which the bounds refuse
    }
    take(to.detail, from->detail());
    to.subtask = from->subtask();
    to.device = from->device();
  }

  std::string value(const wire::label& from)
  {
    std::string to;
    take(to, from.text());
    return to;
  }

  argument_description value(const wire::argument_description& from)
  {
    argument_description to;
    to.kind = from.kind();
    to.edge = from.edge();
    to.rank = from.rank();
    to.element_bytes = from.element_bytes();
    take(to.extent, from.extent());
    to.halo = from.halo();
    take(to.fill, from.fill());
    take(to.value, from.value());
    take(to.content, from.content());
    return to;
  }

  job_description value(const wire::job_description& from)
  {
    job_description to;
    take(to.kernel, from.kernel());
    take(to.signature, from.signature());
    take(to.kernel_bytes, from.kernel_bytes());
    take(to.operation_bytes, from.operation_bytes());
    to.fold = from.fold();
    to.width = from.width();
    to.rank = from.rank();
    to.subtasks = from.subtasks();
    to.span_log2 = from.span_log2();
    if (const auto* dimensions = from.dimensions();
        dimensions != nullptr && dimensions->size() == 3 && lies_well<wire::dimension>(dimensions)) {
      for (flatbuffers::uoffset_t d = 0; d < 3; ++d) {
        const auto* one = dimensions->Get(d);
        to.dimensions[d] = {one->extent(), one->tiles(), one->size(), one->longer()};
      }
    } else {
      to.rank = 0;  // which the bounds refuse
    }
    take(to.bounds, from.bounds());
    take(to.arguments, from.arguments());
    return to;
  }

  device_info value(const wire::device_info& from)
  {
    device_info to;
    to.id = {from.id()};
    to.node = {from.node()};
    take(to.name, from.name());
    take(to.kind, from.kind());
    take(to.backend, from.backend());
    to.workers = from.workers();
    to.memory_bytes = from.memory_bytes();
    to.compute_capability = from.compute_capability();
    take(to.model, from.model());
    to.multiprocessors = from.multiprocessors();
    to.memory_bytes_a_second = from.memory_bytes_a_second();
    take(to.pci_address, from.pci_address());
    to.driver = from.driver();
    take(to.labels, from.labels());
    take(to.numeric_class, from.numeric_class());
    to.speed = from.speed();
    to.load = from.load();
    return to;
  }

  // Messages --------------------------------------------------------------------------------------------------------

  job_terms value(const wire::job_terms& from)
  {
    job_terms to;
    to.need.memory_bytes = from.memory_bytes();
    to.need.compute_capability = from.compute_capability();
    take(to.need.labels, from.labels());
    to.priority = from.priority();
    to.batch_kind = from.batch_kind();
    to.batch_size = from.batch_size();
    to.batch_target_s = from.batch_target_s();
    to.subtask_timeout_s = from.subtask_timeout_s();
    return to;
  }

  open_job value(const wire::open_job& from)
  {
    open_job to;
    to.job = from.job();
    take(to.epoch, from.epoch());
    if (from.what() != nullptr) to.what = value(*from.what());
    to.seal_every_s = from.seal_every_s();
    take(to.numeric_class, from.numeric_class());
    if (from.terms() != nullptr) to.terms = value(*from.terms());
    return to;
  }
  job_data_piece value(const wire::job_data_piece& from)
  {
    job_data_piece to{from.job(), from.argument()};
    take(to.begin, from.begin());
    take(to.end, from.end());
    return to;
  }
  grant_ranges value(const wire::grant_ranges& from)
  {
    grant_ranges to{from.job(), from.staged(), from.pieces(), {}};
    take(to.ranges, from.ranges());
    return to;
  }
  take_back value(const wire::take_back& from) { return {from.job(), from.request(), from.subtasks()}; }
  seal_job value(const wire::seal_job& from)
  {
    seal_job to{from.job(), from.request(), {}};
    take(to.revoked, from.revoked());
    return to;
  }
  acknowledge_seal value(const wire::acknowledge_seal& from) { return {from.job(), from.seal()}; }
  close_job value(const wire::close_job& from) { return {from.job()}; }
  ask_to_drain value(const wire::ask_to_drain&) { return {}; }
  ask_description value(const wire::ask_description&) { return {}; }
  describe_node value(const wire::describe_node& from)
  {
    describe_node to;
    take(to.devices, from.devices());
    to.draining = from.draining();
    return to;
  }
  job_opened value(const wire::job_opened& from)
  {
    job_opened to{from.job(), from.workers(), from.subtasks_per_second(), {}, {}};
    take(to.missing, from.missing());
    take(to.numeric_classes, from.numeric_classes());
    return to;
  }
  job_refused value(const wire::job_refused& from)
  {
    job_refused to{from.job(), {}};
    take(to.why, from.why());
    return to;
  }
  taken_back value(const wire::taken_back& from)
  {
    taken_back to{from.job(), from.request(), {}};
    take(to.ranges, from.ranges());
    return to;
  }
  job_sealed value(const wire::job_sealed& from)
  {
    job_sealed to{from.job(), from.seal(), from.answers(), from.counter(), from.dry(), {}, {}, {}};
    take(to.fold_set, from.fold_set());
    take(to.dropped, from.dropped());
    if (const auto* work = from.work()) to.work = {work->busy_s(), work->batches(), work->steals(), work->retries()};
    return to;
  }
  backup_done value(const wire::backup_done& from)
  {
    backup_done to{from.job(), {}};
    take(to.range, from.range());
    return to;
  }
  attempt_failed value(const wire::attempt_failed& from)
  {
    attempt_failed to{from.job(), {}, from.kernel(), from.staged(), {}};
    take(to.range, from.range());
    take(to.why, from.why());
    return to;
  }
  partial_lost value(const wire::partial_lost& from)
  {
    partial_lost to{from.job(), {}, {}};
    take(to.in_flight, from.in_flight());
    take(to.why, from.why());
    return to;
  }
  job_progress value(const wire::job_progress& from)
  {
    return {from.job(), from.granted(), from.done(), from.unstarted()};
  }
  node_drains value(const wire::node_drains&) { return {}; }

  hello value(const wire::hello& from)
  {
    hello to;
    take(to.name, from.name());
    take(to.library, from.library());
    take(to.build, from.build());
    to.wanted = static_cast<role>(from.wanted());
    return to;
  }
  refusal value(const wire::refusal& from)
  {
    refusal to;
    to.code = static_cast<errc>(from.code());
    take(to.sentence, from.sentence());
    return to;
  }

 private:
  std::size_t left_;
  std::string_view breach_;
};

failure malformed(std::string_view name, std::string_view breach)
{
  return {make_error_code(errc::protocol_error), std::string{name}.append(": ").append(breach)};
}

/// What a verified body says. (One variable that is returned, so that it is not moved.)
template <class Table, class Whole>
result<Whole> read_table(std::string_view name, std::span<const std::byte> body)
{
  table_reader reader{body.size()};
  result<Whole> whole{reader.value(*flatbuffers::GetRoot<Table>(body.data()))};
  auto breach = reader.breach();
  if (breach.empty()) breach = breach_of(whole.value());
  if (!breach.empty()) whole = malformed(name, breach);
  return whole;
}

/// `Whole` is the type that has bounds: of one message, `message`.
template <class Table, class Whole>
result<Whole> decode_table(std::string_view name, std::span<const std::byte> body)
{
  if (body.size() >= FLATBUFFERS_MAX_BUFFER_SIZE) return malformed(name, "too long");
  // Numbers are read where they lie. A body that lies badly, because frames before it were of odd lengths, is moved.
  std::vector<std::byte> moved;
  if (reinterpret_cast<std::uintptr_t>(body.data()) % alignof(std::uint64_t) != 0) {
    moved.assign(body.begin(), body.end());
    body = moved;
  }

  const auto* bytes = reinterpret_cast<const std::uint8_t*>(body.data());
  flatbuffers::Verifier::Options bounds;
  bounds.max_depth = 8;
  // A table may be pointed to from many places, and is looked at each time. None is shorter than this, with the
  // offset that leads to it; so an honest body has no more.
  constexpr std::size_t table_bytes_min = 8;
  bounds.max_tables = static_cast<flatbuffers::uoffset_t>(body.size() / table_bytes_min + 1);
  flatbuffers::Verifier verifier{bytes, body.size(), bounds};
  if (!verifier.VerifyBuffer<Table>(nullptr)) return malformed(name, "it does not follow the schema");

  return read_table<Table, Whole>(name, body);
}

using decode_function = result<message> (*)(std::string_view name, std::span<const std::byte> body);

/// In the order of `message`.
constexpr std::array<decode_function, std::variant_size_v<message>> decode_functions = {
    decode_table<wire::open_job, message>,         decode_table<wire::job_data_piece, message>,
    decode_table<wire::grant_ranges, message>,     decode_table<wire::take_back, message>,
    decode_table<wire::seal_job, message>,         decode_table<wire::acknowledge_seal, message>,
    decode_table<wire::close_job, message>,        decode_table<wire::ask_to_drain, message>,
    decode_table<wire::ask_description, message>,  decode_table<wire::describe_node, message>,
    decode_table<wire::job_opened, message>,       decode_table<wire::job_refused, message>,
    decode_table<wire::taken_back, message>,       decode_table<wire::job_sealed, message>,
    decode_table<wire::backup_done, message>,      decode_table<wire::attempt_failed, message>,
    decode_table<wire::partial_lost, message>,     decode_table<wire::job_progress, message>,
    decode_table<wire::node_drains, message>,
};

}  // namespace

result<message> decode(std::size_t type, std::span<const std::byte> body)
{
  Expects(type < decode_functions.size());
  auto decoded = decode_functions[type](dispatch_table[type].name, body);
  Ensures(!decoded || decoded.value().index() == type);
  return decoded;
}

result<hello> decode_hello(std::span<const std::byte> body) { return decode_table<wire::hello, hello>("hello", body); }

result<refusal> decode_refusal(std::span<const std::byte> body)
{
  return decode_table<wire::refusal, refusal>("refusal", body);
}

}  // namespace fastgpu::inline v0::detail
