#include <link.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>

#include "detail/sha256.hpp"
#include "execute/checkpoint.hpp"
#include "net/self.hpp"
#include "node/job_description.hpp"

/// @file
/// Whose values a checkpoint holds. Field by field and each with its length: the wire's encoding has several forms of
/// one job (docs/decisions/0009), a hash must not.

namespace fastgpu::inline v0::detail {
namespace {

template <class Bytes>
void add_all(sha256& to, const Bytes& bytes)
{
  to.add(std::uint64_t{bytes.size()});
  if (!bytes.empty()) to.add_bytes(bytes.data(), bytes.size());
}

void add(sha256& to, const argument_description& a)
{
  to.add(a.kind).add(a.edge).add(a.rank).add(a.element_bytes).add(a.halo);
  for (const auto extent : a.extent) to.add(extent);
  add_all(to, a.fill);
  add_all(to, a.value);
  add_all(to, a.content);
}

sha256::digest_bytes digest_of(const job_data& job, fold_kind fold)
{
  const auto what = describe_job(job, fold);
  sha256 to;
  add_all(to, what.kernel);
  add_all(to, what.signature);
  add_all(to, what.kernel_bytes);
  add_all(to, what.operation_bytes);
  to.add(what.fold).add(what.width).add(what.rank).add(what.subtasks).add(what.span_log2);
  for (const auto& d : what.dimensions) to.add(d.extent).add(d.tiles).add(d.size).add(d.longer);
  to.add(std::uint64_t{what.bounds.size()});
  for (const auto bound : what.bounds) to.add(bound);
  to.add(std::uint64_t{what.arguments.size()});
  for (const auto& a : what.arguments) add(to, a);
  // What a node is sent piece by piece, and the description leaves out.
  for (std::uint32_t i = 0; i < job.argument_count; ++i) {
    if (job.arguments[i].kind == argument_kind::slices) add_all(to, hash_of_data(job.arguments[i]));
  }
  return to.digest();
}

struct image_search {
  std::uintptr_t within;
  sha256 hash;
};

/// Of the object that has `within`: all of it that is never written, code and constants, as it lies in memory. Its file
/// may have been replaced since.
int add_image(dl_phdr_info* object, std::size_t, void* raw)
{
  auto& search = *static_cast<image_search*>(raw);
  const auto segments = std::span{object->dlpi_phdr, object->dlpi_phnum};
  const auto begin = [&](const auto& s) { return static_cast<std::uintptr_t>(object->dlpi_addr + s.p_vaddr); };
  const bool found = std::any_of(segments.begin(), segments.end(), [&](const auto& s) {
    return s.p_type == PT_LOAD && search.within - begin(s) < s.p_memsz;
  });
  if (!found) return 0;
  for (const auto& s : segments) {
    if (s.p_type != PT_LOAD || (s.p_flags & PF_W) != 0 || (s.p_flags & PF_R) == 0) continue;
    search.hash.add(std::uint64_t{s.p_memsz});
    search.hash.add_bytes(reinterpret_cast<const void*>(begin(s)), s.p_memsz);
  }
  return 1;
}

/// A kernel's name does not say what it computes: whoever mends one and runs again must not get old values.
sha256::digest_bytes image_of(const program& code)
{
  image_search search{reinterpret_cast<std::uintptr_t>(&code), {}};
  ::dl_iterate_phdr(&add_image, &search);
  return search.hash.digest();
}

}  // namespace

checkpoint_identity identity_of(const job_data& job, fold_kind fold, std::string numeric_class)
{
  auto self = this_process({});
  return {digest_of(job, fold), image_of(*job.code), std::move(self.library), std::move(self.build),
          std::move(numeric_class)};
}

}  // namespace fastgpu::inline v0::detail
