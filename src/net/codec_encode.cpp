#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <fastgpu_generated.h>
#include <gsl/assert>

#include "net/codec_bounds.hpp"

namespace fastgpu::inline v0::detail {
namespace {

using flatbuffers::FlatBufferBuilder;
using flatbuffers::Offset;

/// Conversions into tables. What is empty is not written: it reads back as empty.
class table_writer {
 public:
  explicit table_writer(FlatBufferBuilder& out) : out_{out} {}

  // Parts -----------------------------------------------------------------------------------------------------------

  Offset<flatbuffers::String> text(std::string_view what)
  {
    return what.empty() ? Offset<flatbuffers::String>{} : out_.CreateString(what.data(), what.size());
  }
  Offset<flatbuffers::Vector<std::uint8_t>> bytes(const std::vector<std::byte>& what)
  {
    if (what.empty()) return {};
    return out_.CreateVector(reinterpret_cast<const std::uint8_t*>(what.data()), what.size());
  }
  template <class T>
  Offset<flatbuffers::Vector<T>> numbers(const std::vector<T>& what)
  {
    return what.empty() ? Offset<flatbuffers::Vector<T>>{} : out_.CreateVector(what.data(), what.size());
  }
  Offset<flatbuffers::Vector<const wire::interval*>> intervals(const std::vector<interval>& what)
  {
    if (what.empty()) return {};
    wire::interval* to = nullptr;
    const auto vector = out_.CreateUninitializedVectorOfStructs(what.size(), &to);
    for (const auto& one : what) *to++ = wire::interval{one.begin, one.end};
    return vector;
  }
  /// Written even where some are empty: an empty one must not vanish.
  Offset<flatbuffers::Vector<Offset<flatbuffers::String>>> texts(const std::vector<std::string>& what)
  {
    std::vector<Offset<flatbuffers::String>> each;
    for (const auto& one : what) each.push_back(out_.CreateString(one));
    return out_.CreateVector(each);
  }
  static wire::int64x3 triple(const std::int64_t (&what)[3]) { return {what[0], what[1], what[2]}; }
  static wire::interval pair(interval what) { return {what.begin, what.end}; }

  Offset<wire::failure_reason> why(const failure& what)
  {
    // Categories are known by address, so only those that both ends have can travel.
    std::uint8_t kind = 1;
    auto number = what.code.value();
    if (!what.code) {
      kind = 0;
    } else if (what.code.category() == std::generic_category()) {
      kind = 2;
    } else if (what.code.category() == std::system_category()) {
      kind = 3;
    } else if (what.code.category() != category()) {
      number = static_cast<int>(errc::internal);
    }
    const auto detail = text(std::string_view{what.detail}.substr(0, wire_string_bytes_max));
    return wire::Createfailure_reason(out_, kind, number, detail, what.subtask, what.device);
  }

  Offset<wire::argument_description> argument(const argument_description& what)
  {
    const auto fill = bytes(what.fill);
    const auto value = bytes(what.value);
    const auto extent = triple(what.extent);
    const wire::bytes32 content{flatbuffers::span<const std::uint8_t, 32>{what.content}};
    return wire::Createargument_description(out_, what.kind, what.edge, what.rank, what.element_bytes, &extent,
                                            what.halo, fill, value, &content);
  }

  Offset<wire::job_description> job(const job_description& what)
  {
    const auto kernel = text(what.kernel);
    const auto signature = text(what.signature);
    const auto kernel_bytes = bytes(what.kernel_bytes);
    const auto operation_bytes = bytes(what.operation_bytes);
    wire::dimension dimensions[3];
    std::transform(std::begin(what.dimensions), std::end(what.dimensions), dimensions, [](const auto& d) {
      return wire::dimension{d.extent, d.tiles, d.size, d.longer};
    });
    const auto dimension_vector = out_.CreateVectorOfStructs(dimensions, 3);
    const auto bounds = numbers(what.bounds);
    std::vector<Offset<wire::argument_description>> arguments;
    for (const auto& one : what.arguments) arguments.push_back(argument(one));
    return wire::Createjob_description(out_, kernel, signature, kernel_bytes, operation_bytes, what.fold, what.width,
                                       what.rank, what.subtasks, what.span_log2, dimension_vector, bounds,
                                       out_.CreateVector(arguments));
  }

  Offset<wire::device_info> device(const device_info& what)
  {
    const auto name = text(what.name);
    const auto kind = text(what.kind);
    const auto backend = text(what.backend);
    const auto model = text(what.model);
    const auto pci_address = text(what.pci_address);
    const auto numeric_class = text(what.numeric_class);
    std::vector<Offset<wire::label>> labels;
    for (const auto& one : what.labels) labels.push_back(wire::Createlabel(out_, text(one)));
    const auto label_vector = out_.CreateVector(labels);
    return wire::Createdevice_info(out_, what.id.value, what.node.value, name, kind, backend, what.workers,
                                   what.memory_bytes, what.compute_capability, model, what.multiprocessors,
                                   what.memory_bytes_a_second, pci_address, what.driver, label_vector, numeric_class,
                                   what.speed, what.load);
  }

  // Messages --------------------------------------------------------------------------------------------------------

  auto table(const open_job& what)
  {
    const auto description = job(what.what);
    const auto numeric_class = text(what.numeric_class);
    const wire::bytes16 epoch{flatbuffers::span<const std::uint8_t, 16>{what.epoch}};
    const auto& t = what.terms;
    const auto labels = texts(t.need.labels);
    const auto terms =
        wire::Createjob_terms(out_, t.need.memory_bytes, t.need.compute_capability, labels, t.priority, t.batch_kind,
                              t.batch_size, t.batch_target_s, t.subtask_timeout_s);
    return wire::Createopen_job(out_, what.job, &epoch, description, what.seal_every_s, numeric_class, terms);
  }
  auto table(const job_data_piece& what)
  {
    const auto begin = triple(what.begin);
    const auto end = triple(what.end);
    return wire::Createjob_data_piece(out_, what.job, what.argument, &begin, &end);
  }
  auto table(const grant_ranges& what)
  {
    const auto ranges = intervals(what.ranges);
    return wire::Creategrant_ranges(out_, what.job, what.staged, what.pieces, ranges);
  }
  auto table(const take_back& what) { return wire::Createtake_back(out_, what.job, what.request, what.subtasks); }
  auto table(const seal_job& what)
  {
    const auto revoked = intervals(what.revoked);
    return wire::Createseal_job(out_, what.job, what.request, revoked);
  }
  auto table(const acknowledge_seal& what) { return wire::Createacknowledge_seal(out_, what.job, what.seal); }
  auto table(const close_job& what) { return wire::Createclose_job(out_, what.job); }
  auto table(const ask_to_drain&) { return wire::Createask_to_drain(out_); }
  auto table(const ask_description&) { return wire::Createask_description(out_); }
  auto table(const describe_node& what)
  {
    std::vector<Offset<wire::device_info>> devices;
    for (const auto& one : what.devices) devices.push_back(device(one));
    return wire::Createdescribe_node(out_, out_.CreateVector(devices), what.draining);
  }
  auto table(const job_opened& what)
  {
    const auto missing = numbers(what.missing);
    const auto classes = texts(what.numeric_classes);
    return wire::Createjob_opened(out_, what.job, what.workers, what.subtasks_per_second, missing, classes);
  }
  auto table(const job_refused& what)
  {
    const auto reason = why(what.why);
    return wire::Createjob_refused(out_, what.job, reason);
  }
  auto table(const taken_back& what)
  {
    const auto ranges = intervals(what.ranges);
    return wire::Createtaken_back(out_, what.job, what.request, ranges);
  }
  auto table(const job_sealed& what)
  {
    const auto fold_set = intervals(what.fold_set);
    const auto dropped = intervals(what.dropped);
    const auto& w = what.work;
    const auto work = wire::Creatework_report(out_, w.busy_s, w.batches, w.steals, w.retries);
    return wire::Createjob_sealed(out_, what.job, what.seal, what.answers, what.counter, what.dry, fold_set, dropped,
                                  work);
  }
  auto table(const backup_done& what)
  {
    const auto range = pair(what.range);
    return wire::Createbackup_done(out_, what.job, &range);
  }
  auto table(const attempt_failed& what)
  {
    const auto reason = why(what.why);
    const auto range = pair(what.range);
    return wire::Createattempt_failed(out_, what.job, &range, what.kernel, what.staged, reason);
  }
  auto table(const partial_lost& what)
  {
    const auto in_flight = intervals(what.in_flight);
    const auto reason = why(what.why);
    return wire::Createpartial_lost(out_, what.job, in_flight, reason);
  }
  auto table(const job_progress& what)
  {
    return wire::Createjob_progress(out_, what.job, what.granted, what.done, what.unstarted);
  }
  auto table(const node_drains&) { return wire::Createnode_drains(out_); }

  auto table(const hello& what)
  {
    const auto name = text(what.name);
    const auto library = text(what.library);
    const auto build = text(what.build);
    return wire::Createhello(out_, name, library, build, static_cast<std::uint8_t>(what.wanted));
  }
  auto table(const refusal& what)
  {
    const auto sentence = text(std::string_view{what.sentence}.substr(0, wire_sentence_bytes_max));
    return wire::Createrefusal(out_, static_cast<std::int32_t>(what.code), sentence);
  }

 private:
  FlatBufferBuilder& out_;
};

}  // namespace

struct encoder::impl {
  FlatBufferBuilder builder;

  template <class T>
  void append(const T& what, std::vector<std::byte>& out)
  {
    builder.Clear();
    builder.Finish(table_writer{builder}.table(what));
    // A body behind such bodies is where the reader's machine can read 8-byte numbers, and need not be moved.
    const auto begin = out.size();
    out.resize(begin + (builder.GetSize() + 7) / 8 * 8);
    std::memcpy(out.data() + begin, builder.GetBufferPointer(), builder.GetSize());
  }
};

encoder::encoder() : impl_{std::make_unique<impl>()} {}
encoder::~encoder() = default;

void encoder::append(const message& what, std::vector<std::byte>& out)
{
  std::visit([&](const auto& one) { impl_->append(one, out); }, what);
}
void encoder::append(const hello& what, std::vector<std::byte>& out) { impl_->append(what, out); }
void encoder::append(const refusal& what, std::vector<std::byte>& out) { impl_->append(what, out); }

std::vector<std::byte> encode(const message& what)
{
  std::vector<std::byte> body;
  encoder{}.append(what, body);
  return body;
}

}  // namespace fastgpu::inline v0::detail
