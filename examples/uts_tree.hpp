#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fastgpu/config.hpp>

/// @file
/// The trees of UTS, the unbalanced tree search benchmark: a tree is a function of a few parameters, no node
/// is stored, and what hangs below a node cannot be known without walking it.
///
/// Integer arithmetic but for the number of children, and there neither libm nor anything to contract: CPU
/// and GPU see the same tree.
///
/// @see  S. Olivier et al., "UTS: an unbalanced tree search benchmark", LCPC 2006,
///       doi 10.1007/978-3-540-72521-3_18.

namespace uts {

/// A SHA-1 digest: five words, each read from its four bytes in big-endian order.
struct digest {
  std::uint32_t word[5] = {};
  friend constexpr bool operator==(const digest&, const digest&) = default;
};

namespace detail {

[[nodiscard]] FASTGPU_HD constexpr std::uint32_t rotate_left(std::uint32_t x, int bits)
{
  return (x << bits) | (x >> (32 - bits));
}

/// One of the eighty rounds. The five variables keep their places and change roles instead: the a of the
/// next round is the e of this one. All positions are known to the compiler, so everything stays in registers.
template <int Round>
[[gnu::always_inline]] FASTGPU_HD constexpr void sha1_round(std::uint32_t (&state)[5], std::uint32_t (&block)[16])
{
  constexpr int a = (80 - Round) % 5;
  constexpr int b = (a + 1) % 5;
  constexpr int c = (a + 2) % 5;
  constexpr int d = (a + 3) % 5;
  constexpr int e = (a + 4) % 5;
  constexpr int now = Round % 16;
  if constexpr (Round >= 16) {
    block[now] = rotate_left(block[(now + 13) % 16] ^ block[(now + 8) % 16] ^ block[(now + 2) % 16] ^ block[now], 1);
  }

  std::uint32_t mixed = 0;
  if constexpr (Round < 20) {
    mixed = (state[d] ^ (state[b] & (state[c] ^ state[d]))) + 0x5A827999;  // b chooses c or d
  } else if constexpr (Round < 40) {
    mixed = (state[b] ^ state[c] ^ state[d]) + 0x6ED9EBA1;
  } else if constexpr (Round < 60) {
    // The majority; the two terms share no bit, so that + does for |, and additions can be regrouped.
    mixed = (state[b] & state[c]) + (state[d] & (state[b] ^ state[c])) + 0x8F1BBCDC;
  } else {
    mixed = (state[b] ^ state[c] ^ state[d]) + 0xCA62C1D6;
  }
  state[e] += block[now] + mixed + rotate_left(state[a], 5);
  state[b] = rotate_left(state[b], 30);
}

template <int... Rounds>
[[gnu::always_inline]] FASTGPU_HD constexpr void sha1_rounds(std::uint32_t (&state)[5], std::uint32_t (&block)[16],
                                                             std::integer_sequence<int, Rounds...>)
{
  (sha1_round<Rounds>(state, block), ...);
}

}  // namespace detail

/// SHA-1 of a message that fits in one block.
///
/// @param block  The padded message (FIPS 180-4, 5.1.1), big-endian words. Overwritten.
[[nodiscard]] FASTGPU_HD constexpr digest sha1_of_block(std::uint32_t (&block)[16])
{
  constexpr digest initial{{0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0}};
  std::uint32_t state[5] = {initial.word[0], initial.word[1], initial.word[2], initial.word[3], initial.word[4]};
  detail::sha1_rounds(state, block, std::make_integer_sequence<int, 80>{});
  return {{initial.word[0] + state[0], initial.word[1] + state[1], initial.word[2] + state[2],
           initial.word[3] + state[3], initial.word[4] + state[4]}};
}

/// SHA-1 of the 24 bytes that name a child: those of its parent's digest, then `number` in big-endian order.
[[nodiscard]] FASTGPU_HD constexpr digest sha1(const digest& parent, std::uint32_t number)
{
  const auto& w = parent.word;
  std::uint32_t block[16] = {w[0], w[1], w[2], w[3], w[4], number, 0x80000000, 0, 0, 0, 0, 0, 0, 0, 0, 24 * 8};
  return sha1_of_block(block);
}

inline constexpr std::int32_t binomial = 0;   ///< parameters::type
inline constexpr std::int32_t geometric = 1;  ///< parameters::type
inline constexpr std::int32_t linear = 0;     ///< parameters::shape: the branching falls to 0 at `depth`.
inline constexpr std::int32_t fixed = 3;      ///< parameters::shape: the branching holds until `depth`.

/// Of a node below the root; in geometric trees of the root too.
inline constexpr std::int32_t children_max = 100;

/// What a tree is a function of, named and numbered as in UTS. The default is the tree `default`.
struct parameters {
  std::int32_t type = geometric;  ///< -t
  std::int32_t shape = linear;    ///< -a, of geometric trees
  std::int32_t depth = 6;         ///< -d, of geometric trees: nodes at this depth have no children.
  std::int32_t m = 4;             ///< -m, of binomial trees: the children of a node that has any.
  double branching = 4;           ///< -b: the root's children (binomial) or what is expected of them (geometric).
  double q = 15.0 / 64;           ///< -q, of binomial trees: the share of the nodes that have children.
  std::uint32_t seed = 0;         ///< -r
  friend constexpr bool operator==(const parameters&, const parameters&) = default;
};

/// Why there is no such tree, in one line that begins with the option's name (`--shape: ...`; options are
/// named as the members of `parameters`); empty if there is one. Refused are also binomial trees that may
/// never end: q * m >= 1.
[[nodiscard]] inline std::string validate(const parameters& tree)
{
  const auto instead_of = [](auto value) { return ", not " + std::to_string(value); };
  constexpr double branching_max = 1e9;
  // Negated, so that what is not a number is refused too.
  if (!(tree.branching >= 0 && tree.branching <= branching_max)) {
    return "--branching: a number from 0 to 1e9 was expected" + instead_of(tree.branching);
  }
  if (tree.type == binomial) {
    if (!(tree.q >= 0 && tree.q <= 1)) return "--q: a number from 0 to 1 was expected" + instead_of(tree.q);
    if (tree.m < 0 || tree.m > children_max) {
      return "--m: a number from 0 to " + std::to_string(children_max) + " was expected" + instead_of(tree.m);
    }
    if (tree.q * tree.m >= 1) {
      return "--q: below 1 / m was expected, or the tree may never end" + instead_of(tree.q);
    }
    return {};
  }
  if (tree.type == geometric) {
    if (tree.shape != linear && tree.shape != fixed) {
      return "--shape: 0 (linear) or 3 (fixed) was expected" + instead_of(tree.shape);
    }
    if (tree.depth < 0) return "--depth: 0 or more was expected" + instead_of(tree.depth);
    return {};
  }
  return "--type: 0 (binomial) or 1 (geometric) was expected" + instead_of(tree.type);
}

struct node {
  uts::digest digest{};
  std::int32_t depth = 0;  ///< 0 at the root.
  friend constexpr bool operator==(const node&, const node&) = default;
};

/// The root: SHA-1 of sixteen zero bytes, then the seed in big-endian order.
[[nodiscard]] FASTGPU_HD constexpr node root(const parameters& tree)
{
  std::uint32_t block[16] = {0, 0, 0, 0, tree.seed, 0x80000000, 0, 0, 0, 0, 0, 0, 0, 0, 0, 20 * 8};
  return {sha1_of_block(block), 0};
}

/// @pre  i < child_count(tree, parent).
[[nodiscard]] FASTGPU_HD constexpr node child(const node& parent, std::int32_t i)
{
  return {sha1(parent.digest, static_cast<std::uint32_t>(i)), parent.depth + 1};
}

/// How many children `parent` has.
///
/// Geometric trees: floor(ln(1 - u) / ln(1 - p)), p = 1 / (1 + B), is found as the largest k for which
/// (1 - p)^k >= 1 - u. A logarithm's last bit could move a node across a boundary and change the tree from one
/// device to the next; products cannot.
///
/// @pre       validate(tree) is empty.
/// @par Cost  Far below that of child(): some B multiplications, at most 100.
[[nodiscard]] FASTGPU_HD constexpr std::int32_t child_count(const parameters& tree, const node& parent)
{
  if (tree.type == binomial && parent.depth == 0) return static_cast<std::int32_t>(tree.branching);

  // 31 bits: u and 1 - u are exact.
  const double u = static_cast<double>(parent.digest.word[4] & 0x7FFFFFFF) * 0x1p-31;
  if (tree.type == binomial) return u < tree.q ? tree.m : 0;

  if (parent.depth > 0 && parent.depth >= tree.depth) return 0;
  double target = tree.branching;  // B
  if (parent.depth > 0 && tree.shape == linear) {
    // b (1 - depth / d), in an order in which no product meets a sum: nothing to fuse.
    target = tree.branching * (tree.depth - parent.depth) / tree.depth;
  }
  const double kept = target / (1 + target);  // 1 - p
  const double threshold = 1 - u;             // in (0, 1]
  std::int32_t count = 0;
  for (double power = kept; count < children_max && power >= threshold; power *= kept) ++count;
  return count;
}

/// What a walk counts.
struct tally {
  std::uint64_t nodes = 0;
  std::uint64_t leaves = 0;    ///< Nodes without children.
  std::int32_t max_depth = 0;  ///< Of any node seen, counted from the tree's root.
  std::uint32_t cut = 0;       ///< Nodes below which a walk of limited depth did not look. Not 0: no answer.
  friend constexpr bool operator==(const tally&, const tally&) = default;
};

/// The tally of two disjoint parts of a tree. Associative and commutative; `tally{}` is neutral.
[[nodiscard]] FASTGPU_HD constexpr tally merge(const tally& a, const tally& b)
{
  return {a.nodes + b.nodes, a.leaves + b.leaves, a.max_depth > b.max_depth ? a.max_depth : b.max_depth, a.cut + b.cut};
}

/// How far below its start count_subtree() follows a path. T3 reaches 1,572; geometric trees their `depth`.
inline constexpr std::int32_t walk_depth_max = 4096;

namespace detail {

/// Counts a node in; returns how many children it has.
FASTGPU_HD constexpr std::int32_t visit(const parameters& tree, const node& at, tally& sum)
{
  const std::int32_t children = child_count(tree, at);
  ++sum.nodes;
  if (children == 0) ++sum.leaves;
  if (at.depth > sum.max_depth) sum.max_depth = at.depth;
  return children;
}

/// Where a depth-first walk is: the way down from `top`, in bounded memory (under 6 KB).
///
/// Of each step only the child's number is kept, in a byte; a node follows from its parent and that number.
/// The lowest nodes are kept as well. Once the walk has climbed above those, the way is gone down again from
/// the top: rare, because every climb of `nodes_kept` levels has walked all that hangs from them.
class trail {
 public:
  FASTGPU_HD explicit trail(const node& top) : top_{top} { nodes_[0] = top; }

  [[nodiscard]] FASTGPU_HD const node& lowest() const { return nodes_[level_ & (nodes_kept - 1)]; }
  [[nodiscard]] FASTGPU_HD bool at_top() const { return level_ == 0; }
  [[nodiscard]] FASTGPU_HD bool full() const { return level_ == walk_depth_max; }

  /// @pre  !full(), and `below` is child i of lowest(); i < children_max.
  FASTGPU_HD void descend(const node& below, std::int32_t i)
  {
    numbers_[level_] = static_cast<std::uint8_t>(i);
    ++level_;
    nodes_[level_ & (nodes_kept - 1)] = below;
    if (level_ - oldest_ == nodes_kept) ++oldest_;
  }

  /// Goes to the parent; returns the number of the child that it leaves.
  ///
  /// @pre  !at_top().
  FASTGPU_HD std::int32_t climb()
  {
    --level_;
    if (level_ < oldest_) go_down_again();
    return numbers_[level_];
  }

 private:
  static constexpr std::int32_t nodes_kept = 64;
  static_assert((nodes_kept & (nodes_kept - 1)) == 0, "slots are found by masking");
  static_assert(children_max <= 256, "a child's number fits in a byte");

  FASTGPU_HD void go_down_again()
  {
    node at = top_;
    nodes_[0] = at;
    for (std::int32_t l = 0; l < level_; ++l) {
      at = child(at, numbers_[l]);
      nodes_[(l + 1) & (nodes_kept - 1)] = at;
    }
    oldest_ = level_ < nodes_kept ? 0 : level_ - nodes_kept + 1;
  }

  node top_;
  std::int32_t level_ = 0;                // of lowest(), counted from top_
  std::int32_t oldest_ = 0;               // nodes_ holds the nodes of levels [oldest_, level_]
  node nodes_[nodes_kept];                // level l in slot l mod nodes_kept
  std::uint8_t numbers_[walk_depth_max];  // of the child that the way takes at each level
};

/// Counts what lies below `top`, which itself is counted already.
FASTGPU_HD inline void walk_below(const parameters& tree, const node& top, std::int32_t children, tally& sum)
{
  trail way{top};
  std::int32_t next = 0;
  for (;;) {
    if (next < children) {
      const node below = child(way.lowest(), next);
      const std::int32_t grandchildren = visit(tree, below, sum);
      if (grandchildren == 0) {
        ++next;
      } else if (way.full()) {
        ++sum.cut;
        ++next;
      } else {
        way.descend(below, next);
        children = grandchildren;
        next = 0;
      }
    } else {
      if (way.at_top()) return;
      next = way.climb() + 1;
      children = child_count(tree, way.lowest());
    }
  }
}

}  // namespace detail

/// Walks the subtree of `top` depth-first and counts its nodes, `top` among them.
///
/// The stack is bounded: under 6 KB on any device, however deep the tree. Nodes more than about `walk_depth_max`
/// levels below `top` are not walked but counted in `tally::cut`, so whoever asks must look at that. The depth
/// of a geometric tree is bounded by its parameters, that of a binomial tree is not: T3 reaches 1,572, the
/// larger binomial trees of UTS reach more than ten thousand, and those are for count_deep_subtree().
///
/// @pre       validate(tree) is empty.
/// @par Cost  A SHA-1 block for each node but the first. Climbing out of deep paths takes more: 8 % of T3's
///            nodes once more, none in trees less than 64 levels deep.
[[nodiscard]] FASTGPU_HD inline tally count_subtree(const parameters& tree, const node& top)
{
  // The children of the first node are counted here, so that below all numbers fit in a byte: the root of a
  // binomial tree has thousands.
  tally sum;
  const std::int32_t children = detail::visit(tree, top, sum);
  for (std::int32_t i = 0; i < children; ++i) {
    const node below = child(top, i);
    const std::int32_t grandchildren = detail::visit(tree, below, sum);
    if (grandchildren > 0) detail::walk_below(tree, below, grandchildren, sum);
  }
  return sum;
}

/// As count_subtree(), on the host only and for any depth: the stack grows by 32 bytes a level.
[[nodiscard]] inline tally count_deep_subtree(const parameters& tree, const node& top)
{
  struct level {
    node at;
    std::int32_t children;
    std::int32_t next = 0;
  };
  tally sum;
  std::vector<level> way{{top, detail::visit(tree, top, sum)}};
  while (!way.empty()) {
    level& lowest = way.back();
    if (lowest.next == lowest.children) {
      way.pop_back();
      continue;
    }
    const node below = child(lowest.at, lowest.next++);
    const std::int32_t children = detail::visit(tree, below, sum);
    if (children > 0) way.push_back({below, children});
  }
  return sum;
}

/// A tree with a name and a published answer.
struct named_tree {
  std::string_view name;
  parameters tree;
  tally answer;
};

inline constexpr named_tree named_trees[] = {
    {"default", {.type = geometric, .shape = linear, .depth = 6, .branching = 4, .seed = 0}, {1'732, 1'050, 6}},
    {"T1", {.type = geometric, .shape = fixed, .depth = 10, .branching = 4, .seed = 19}, {4'130'071, 3'305'118, 10}},
    {"T3", {.type = binomial, .m = 8, .branching = 2000, .q = 0.124875, .seed = 42}, {4'112'897, 3'599'034, 1'572}},
};

/// The tree of that name; null if there is none.
[[nodiscard]] constexpr const named_tree* find_tree(std::string_view name)
{
  for (const named_tree& known : named_trees) {
    if (known.name == name) return &known;
  }
  return nullptr;
}

}  // namespace uts
