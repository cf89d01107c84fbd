#include <uts_tree.hpp>  // first: shows that the header stands alone

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <type_traits>
#include <vector>

#include <gtest/gtest.h>
#include <openssl/sha.h>

namespace {

using bytes = std::vector<unsigned char>;

void append(bytes& message, std::uint32_t word)
{
  for (const int shift : {24, 16, 8, 0}) message.push_back(static_cast<unsigned char>(word >> shift));
}

// What another implementation says.
uts::digest reference_sha1(const bytes& message)
{
  unsigned char out[SHA_DIGEST_LENGTH];
  SHA1(message.data(), message.size(), out);
  uts::digest result;
  for (std::size_t i = 0; i < 20; ++i) result.word[i / 4] = (result.word[i / 4] << 8) | out[i];
  return result;
}

// The examples of FIPS 180 are shorter or longer than the 24 bytes of a node, so these two are padded by hand.

TEST(Sha1, GivesTheAnswerOfFips180ForAbc)
{
  std::uint32_t block[16] = {0x61626380, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 24};
  EXPECT_EQ(uts::sha1_of_block(block), (uts::digest{{0xa9993e36, 0x4706816a, 0xba3e2571, 0x7850c26c, 0x9cd0d89d}}));
}

TEST(Sha1, GivesTheKnownAnswerForTheEmptyMessage)
{
  std::uint32_t block[16] = {0x80000000};
  EXPECT_EQ(uts::sha1_of_block(block), (uts::digest{{0xda39a3ee, 0x5e6b4b0d, 0x3255bfef, 0x95601890, 0xafd80709}}));
}

TEST(Sha1, AgreesWithAnotherImplementationOnRandomNodes)
{
  std::mt19937 random{20'060'101};
  const auto word = [&] { return static_cast<std::uint32_t>(random()); };
  for (int i = 0; i < 100'000; ++i) {
    const uts::digest parent{{word(), word(), word(), word(), word()}};
    const std::uint32_t number = word();
    bytes message;
    for (const std::uint32_t part : parent.word) append(message, part);
    append(message, number);
    ASSERT_EQ(message.size(), 24u);
    ASSERT_EQ(uts::sha1(parent, number), reference_sha1(message)) << i;
  }
}

TEST(Root, HashesSixteenZerosAndTheSeed)
{
  for (const std::uint32_t seed : {0u, 19u, 42u, 0x01020304u, 0xffffffffu}) {
    bytes message(16);
    append(message, seed);
    const uts::node root = uts::root({.seed = seed});
    EXPECT_EQ(root.digest, reference_sha1(message)) << seed;
    EXPECT_EQ(root.depth, 0);
  }
}

TEST(Child, HashesTheParentAndItsNumberOneLevelBelow)
{
  const uts::node root = uts::root({.seed = 19});
  bytes message;
  for (const std::uint32_t part : root.digest.word) append(message, part);
  append(message, 1999);
  const uts::node child = uts::child(root, 1999);
  EXPECT_EQ(child.digest, reference_sha1(message));
  EXPECT_EQ(child.depth, 1);
  EXPECT_EQ(uts::child(child, 0).depth, 2);
}

uts::node with_number(std::uint32_t number, std::int32_t depth) { return {{{0, 0, 0, 0, number}}, depth}; }

constexpr uts::parameters small_binomial{.type = uts::binomial, .m = 8, .branching = 2000.9, .q = 0.25};

TEST(ChildCount, OfABinomialRootIsTheBranchingRoundedDown)
{
  EXPECT_EQ(uts::child_count(small_binomial, with_number(0x7fffffff, 0)), 2000);
}

TEST(ChildCount, OfABinomialNodeIsAllOrNone)
{
  constexpr std::uint32_t quarter = 0x20000000;  // 0.25 * 2^31
  EXPECT_EQ(uts::child_count(small_binomial, with_number(0, 1)), 8);
  EXPECT_EQ(uts::child_count(small_binomial, with_number(quarter - 1, 1)), 8);
  EXPECT_EQ(uts::child_count(small_binomial, with_number(quarter, 1)), 0);
  EXPECT_EQ(uts::child_count(small_binomial, with_number(0x80000000 | (quarter - 1), 1)), 8);  // the top bit is cleared
}

TEST(ChildCount, OfAGeometricNodeIsZeroFromTheDepthOn)
{
  const uts::parameters fixed{.shape = uts::fixed, .depth = 10};
  EXPECT_GT(uts::child_count(fixed, with_number(0x7fffffff, 9)), 0);
  EXPECT_EQ(uts::child_count(fixed, with_number(0x7fffffff, 10)), 0);
  const uts::parameters linear{.shape = uts::linear, .depth = 10};
  EXPECT_GT(uts::child_count(linear, with_number(0x7fffffff, 9)), 0);
  EXPECT_EQ(uts::child_count(linear, with_number(0x7fffffff, 10)), 0);
}

TEST(ChildCount, OfAGeometricRootKnowsNoDepth)
{
  EXPECT_GT(uts::child_count({.depth = 0}, with_number(0x7fffffff, 0)), 0);
  EXPECT_EQ(uts::child_count({.depth = 0}, with_number(0x7fffffff, 1)), 0);
}

TEST(ChildCount, OfAGeometricNodeIsAtMostAHundred)
{
  EXPECT_EQ(uts::child_count({.branching = 1e9}, with_number(0x7fffffff, 0)), 100);
}

TEST(ChildCount, OfAGeometricNodeIsZeroWithoutBranching)
{
  EXPECT_EQ(uts::child_count({.branching = 0}, with_number(0x7fffffff, 0)), 0);
}

// B = 1 makes 1 - p a half: the boundaries are powers of two, which the digest can hit exactly.
TEST(ChildCount, CountsABoundaryThatIsHitExactly)
{
  const uts::parameters halves{.shape = uts::fixed, .branching = 1};
  for (int k = 0; k <= 31; ++k) {
    const std::uint32_t number = 0x80000000 - (std::uint32_t{1} << (31 - k));  // 1 - u = 2^-k
    EXPECT_EQ(uts::child_count(halves, with_number(number, 1)), k) << k;
    if (k > 0) {
      EXPECT_EQ(uts::child_count(halves, with_number(number - 1, 1)), k - 1) << k;
    }
  }
}

// Both forms never fall as u grows, so they agree on all 2^31 values if they do on either side of each step.
TEST(ChildCount, AgreesWithTheLogarithmsOfTheDefinition)
{
  struct trial {
    uts::parameters tree;
    std::int32_t depth;
    double target;
  };
  for (const auto& [tree, depth, target] : {
           trial{{.shape = uts::fixed, .depth = 10, .branching = 4}, 5, 4.0},
           trial{{.shape = uts::linear, .depth = 6, .branching = 4}, 1, 4.0 * (1 - 1.0 / 6)},
           trial{{.shape = uts::linear, .depth = 6, .branching = 4}, 2, 4.0 * (1 - 2.0 / 6)},
           trial{{.shape = uts::linear, .depth = 6, .branching = 4}, 4, 4.0 * (1 - 4.0 / 6)},
           trial{{.shape = uts::linear, .depth = 6, .branching = 4}, 5, 4.0 * (1 - 5.0 / 6)},
           trial{{.shape = uts::fixed, .depth = 10, .branching = 2.5}, 0, 2.5},
       }) {
    const double kept = target / (1 + target);
    for (int k = 1; k <= 100; ++k) {
      const std::int64_t step = std::llround((1 - std::pow(kept, k)) * 0x1p31);
      for (std::int64_t number = step - 2; number <= step + 2; ++number) {
        if (number < 0 || number >= std::int64_t{1} << 31) continue;
        const double u = static_cast<double>(number) * 0x1p-31;
        const double expected = std::fmin(100, std::floor(std::log(1 - u) / std::log(1 - 1 / (1 + target))));
        ASSERT_EQ(uts::child_count(tree, with_number(static_cast<std::uint32_t>(number), depth)), expected)
            << "B " << target << ", number " << number;
      }
    }
  }
}

// The published trees, as far as they are small.

TEST(Tree, DefaultHasItsPublishedSize)
{
  EXPECT_EQ(uts::count_subtree({}, uts::root({})), (uts::tally{.nodes = 1'732, .leaves = 1'050, .max_depth = 6}));
}

TEST(Tree, T1HasItsPublishedSize)
{
  const uts::parameters t1{.type = 1, .shape = 3, .depth = 10, .branching = 4, .seed = 19};
  EXPECT_EQ(uts::count_subtree(t1, uts::root(t1)),
            (uts::tally{.nodes = 4'130'071, .leaves = 3'305'118, .max_depth = 10}));
}

// Walked as a job does: the root's subtrees one by one, in any order.
TEST(Tree, T3HasItsPublishedSizeInParts)
{
  const uts::parameters t3{.type = 0, .m = 8, .branching = 2000, .q = 0.124875, .seed = 42};
  const uts::node root = uts::root(t3);
  uts::tally sum{.nodes = 1};
  for (std::int32_t i = 1999; i >= 0; --i) sum = uts::merge(sum, uts::count_subtree(t3, uts::child(root, i)));
  EXPECT_EQ(sum, (uts::tally{.nodes = 4'112'897, .leaves = 3'599'034, .max_depth = 1'572}));
}

TEST(Tree, IsFoundByName)
{
  ASSERT_NE(uts::find_tree("T3"), nullptr);
  EXPECT_EQ(uts::find_tree("T3")->tree,
            (uts::parameters{.type = 0, .m = 8, .branching = 2000, .q = 0.124875, .seed = 42}));
  EXPECT_EQ(uts::find_tree("T3")->answer.nodes, 4'112'897u);
  ASSERT_NE(uts::find_tree("T1"), nullptr);
  EXPECT_EQ(uts::find_tree("T1")->answer.leaves, 3'305'118u);
  ASSERT_NE(uts::find_tree("default"), nullptr);
  EXPECT_EQ(uts::find_tree("default")->tree, uts::parameters{});
  EXPECT_EQ(uts::find_tree("T2"), nullptr);
}

TEST(CountSubtree, OfALeafIsOne)
{
  EXPECT_EQ(uts::count_subtree({.depth = 3}, with_number(0, 3)), (uts::tally{.nodes = 1, .leaves = 1, .max_depth = 3}));
}

TEST(CountSubtree, AgreesWithAGrowingStackOnDeepTrees)
{
  // Paths of hundreds of levels with side branches: what is above the kept nodes has to be found again.
  for (std::uint32_t seed = 0; seed < 30; ++seed) {
    const uts::parameters tree{.type = uts::binomial, .m = 2, .branching = 20, .q = 0.4995, .seed = seed};
    const uts::tally bounded = uts::count_subtree(tree, uts::root(tree));
    EXPECT_EQ(bounded, uts::count_deep_subtree(tree, uts::root(tree))) << seed;
    EXPECT_EQ(bounded.cut, 0u) << seed;
    // Every node but the root is a child, and all inner nodes but the root have two.
    EXPECT_EQ(bounded.nodes - 1, 20 + 2 * (bounded.nodes - 1 - bounded.leaves)) << seed;
  }
}

TEST(CountSubtree, SaysWhatItDidNotSee)
{
  // A single path: one child each, until a node has none.
  const uts::parameters path{.type = uts::binomial, .m = 1, .branching = 1, .q = 0.99995, .seed = 1};
  const uts::tally whole = uts::count_deep_subtree(path, uts::root(path));
  ASSERT_GT(whole.max_depth, uts::walk_depth_max + 2);
  EXPECT_EQ(whole.leaves, 1u);
  EXPECT_EQ(whole.cut, 0u);
  EXPECT_EQ(whole.nodes, static_cast<std::uint64_t>(whole.max_depth) + 1);
  constexpr std::int32_t seen = uts::walk_depth_max + 2;
  EXPECT_EQ(uts::count_subtree(path, uts::root(path)),
            (uts::tally{.nodes = seen + 1, .leaves = 0, .max_depth = seen, .cut = 1}));
}

TEST(Tally, MergesSumsAndTheDeeperDepth)
{
  const uts::tally a{.nodes = 5, .leaves = 3, .max_depth = 2, .cut = 1};
  const uts::tally b{.nodes = 7, .leaves = 4, .max_depth = 9, .cut = 2};
  EXPECT_EQ(uts::merge(a, b), (uts::tally{.nodes = 12, .leaves = 7, .max_depth = 9, .cut = 3}));
  EXPECT_EQ(uts::merge(a, b), uts::merge(b, a));
  EXPECT_EQ(uts::merge(a, {}), a);
}

TEST(Validate, AcceptsTheNamedTrees)
{
  for (const uts::named_tree& known : uts::named_trees) EXPECT_EQ(uts::validate(known.tree), "") << known.name;
}

TEST(Validate, RefusesOtherTypesAndShapes)
{
  EXPECT_EQ(uts::validate({.type = 2}), "--type: 0 (binomial) or 1 (geometric) was expected, not 2");
  EXPECT_EQ(uts::validate({.type = -1}), "--type: 0 (binomial) or 1 (geometric) was expected, not -1");
  EXPECT_EQ(uts::validate({.shape = 1}), "--shape: 0 (linear) or 3 (fixed) was expected, not 1");
  EXPECT_EQ(uts::validate({.shape = 4}), "--shape: 0 (linear) or 3 (fixed) was expected, not 4");
}

TEST(Validate, LooksAtNoOptionThatTheTreeDoesNotUse)
{
  EXPECT_EQ(uts::validate({.type = uts::binomial, .shape = 7, .depth = -1}), "");
  EXPECT_EQ(uts::validate({.type = uts::geometric, .m = -1, .q = 2}), "");
}

TEST(Validate, NamesTheOptionThatIsOutOfRange)
{
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  const auto names = [](const uts::parameters& tree, const std::string& option) {
    const std::string message = uts::validate(tree);
    return message.rfind(option + ": ", 0) == 0 && message.find('\n') == std::string::npos;
  };
  EXPECT_TRUE(names({.depth = -1}, "--depth"));
  EXPECT_TRUE(names({.branching = -1}, "--branching"));
  EXPECT_TRUE(names({.branching = nan}, "--branching"));
  EXPECT_TRUE(names({.branching = 1e10}, "--branching"));
  EXPECT_TRUE(names({.type = uts::binomial, .m = -1}, "--m"));
  EXPECT_TRUE(names({.type = uts::binomial, .m = 101}, "--m"));
  EXPECT_TRUE(names({.type = uts::binomial, .q = 1.5}, "--q"));
  EXPECT_TRUE(names({.type = uts::binomial, .q = nan}, "--q"));
}

TEST(Validate, RefusesTreesThatMayNeverEnd)
{
  EXPECT_EQ(uts::validate({.type = uts::binomial, .m = 8, .q = 0.125}),
            "--q: below 1 / m was expected, or the tree may never end, not 0.125000");
}

TEST(Node, TravelsAsBytes)
{
  static_assert(std::is_trivially_copyable_v<uts::node> && std::has_unique_object_representations_v<uts::node>);
  static_assert(std::is_trivially_copyable_v<uts::tally> && std::has_unique_object_representations_v<uts::tally>);
  static_assert(std::is_trivially_copyable_v<uts::parameters>);
}

}  // namespace
