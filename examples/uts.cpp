#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <fastgpu/fastgpu.hpp>

#include "program/command_line.hpp"
#include "program/sha256.hpp"
#include "uts_tree.hpp"

/// @file
/// UTS, unbalanced tree search: counts the nodes of a tree of which only the root is known. Definition and answers:
/// S. Olivier et al., LCPC 2006, doi 10.1007/978-3-540-72521-3_18.
///
/// The items are the subtrees below a level of the tree. Their sizes differ by orders of magnitude and nobody can
/// tell them before: no placement is right, and stealing does the work.

struct merge_tallies {
  using value_type = uts::tally;
  static constexpr bool commutative = true;
  static constexpr bool order_free = true;
  static constexpr const char* name = "merge_tallies";

  FASTGPU_HD constexpr uts::tally operator()(const uts::tally& left, const uts::tally& right) const
  {
    return uts::merge(left, right);
  }
  FASTGPU_HD static constexpr uts::tally identity() { return {}; }
};

struct count_subtree {
  uts::parameters tree;

  FASTGPU_HD uts::tally operator()(fastgpu::index<1> at, fastgpu::in1<uts::node> tops) const
  {
#if defined(__CUDA_ARCH__)
    return uts::count_subtree(tree, tops(at));  // in bounded memory; what it cuts off it counts
#else
    return uts::count_deep_subtree(tree, tops(at));
#endif
  }
};
FASTGPU_REGISTER("example.uts_subtree", count_subtree)

/// A level of the tree, with a tally of all that lies above it.
struct frontier {
  std::vector<uts::node> nodes;
  uts::tally above;
};

/// The first level of at least `nodes_min` nodes: a function of the tree alone, so that the subtasks do not depend on
/// the devices. Empty where the tree ends before: then all of it is counted.
frontier find_frontier(const uts::parameters& tree, std::size_t nodes_min)
{
  frontier f{{uts::root(tree)}, {}};
  while (!f.nodes.empty() && f.nodes.size() < nodes_min) {
    std::vector<uts::node> below;
    for (const auto& parent : f.nodes) {
      const auto children = uts::child_count(tree, parent);
      for (std::int32_t i = 0; i < children; ++i) below.push_back(uts::child(parent, i));
      f.above = uts::merge(f.above, {1, children == 0 ? 1u : 0u, parent.depth});
    }
    f.nodes = std::move(below);
  }
  return f;
}

/// The published answer, if the tree is one of those that have a name.
std::optional<uts::tally> find_answer(const uts::parameters& tree)
{
  for (const auto& known : uts::named_trees) {
    if (known.tree == tree) return known.answer;
  }
  return std::nullopt;
}

bool run(program::session& s, const uts::parameters& tree)
{
  if (auto problem = uts::validate(tree); !problem.empty()) throw program::usage_error{problem};
  constexpr std::int32_t root_children_max = 1 << 24;  // they lie in memory all at once
  if (tree.type == uts::binomial && tree.branching > root_children_max) {
    throw program::usage_error{"--branching: at most 2^24 children of a binomial tree's root were expected"};
  }

  const frontier top = find_frontier(tree, 4096);
  const auto job = fastgpu::make_job(s.space(std::ssize(top.nodes)), count_subtree{tree}, fastgpu::slices(top.nodes),
                                     fastgpu::reduced(merge_tallies{}));
  const uts::tally t = uts::merge(top.above, s.run(job).get());
  if (t.cut != 0) throw std::runtime_error{"the tree is too deep for a GPU: --devices host can count it"};

  program::sha256 hash;
  hash.add(t.nodes).add(static_cast<std::uint64_t>(t.max_depth)).add(t.leaves);
  s.set_result_hash(hash.hex());
  s.fields = {{"nodes", t.nodes}, {"depth", t.max_depth}, {"leaves", t.leaves}, {"verified", nullptr}};
  s.print("UTS: " + std::to_string(t.nodes) + " nodes, depth " + std::to_string(t.max_depth) + ", " +
          std::to_string(t.leaves) + " leaves; " + std::to_string(top.nodes.size()) + " subtrees as items, " +
          std::to_string(top.above.nodes) + " nodes above them");

  const auto answer = find_answer(tree);
  if (!answer) {
    s.print("no answer is published for this tree");
    return true;
  }
  const bool verified = t == *answer;
  s.fields["verified"] = verified;
  s.print(verified ? "VERIFIED" : "NOT VERIFIED");
  return verified;
}

int main(int argc, char** argv)
{
  program::command_line line{"uts",
                             "UTS, unbalanced tree search: the nodes, depth and leaves of a tree.\n"
                             "Without options the tree is 'default', with 1,732 nodes; T1 and T3 have 4 million."};
  uts::parameters tree;
  std::string name;
  auto* named = line.app().add_option("--tree", name, "A tree with a published answer, instead of the options below")
                    ->check(CLI::IsMember({"default", "T1", "T3"}));
  const auto add = [&](const char* option, auto& value, const char* meaning) {
    line.app().add_option(option, value, meaning)->excludes(named)->capture_default_str();
  };
  add("--type", tree.type, "0 binomial: a node has m children or none; 1 geometric");
  add("--shape", tree.shape, "Of a geometric tree: 0 linear, the branching falls to 0 at the depth; 3 fixed");
  add("--depth", tree.depth, "Of a geometric tree: nodes at this depth have no children");
  add("--branching", tree.branching, "Children of the root; those expected of a node in a geometric tree");
  add("--q", tree.q, "Of a binomial tree: the share of nodes with children, below 1 / m");
  add("--m", tree.m, "Of a binomial tree: the children of a node that has any");
  add("--root", tree.seed, "Seed of the root");
  return line.run(argc, argv, [&](program::session& s) {
    const auto* known = uts::find_tree(name);
    return run(s, known != nullptr ? known->tree : tree);
  });
}
