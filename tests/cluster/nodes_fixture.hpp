#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <fastgpu/cluster/node.hpp>
#include <fastgpu/fastgpu.hpp>

#include "support/folder.hpp"

/// @file
/// Nodes and their coordinator in one process, over Unix sockets: what crosses them is the same as between machines.

namespace nodes_test {

using fastgpu::cluster;
using fastgpu::errc;

/// Some nodes with two threads each, in a folder of their sockets.
class Nodes : public testing::Test {
 protected:
  fastgpu::node& start(const std::string& devices = "host:2")
  {
    auto name = std::to_string(nodes_.size() + 1);
    name.insert(0, 1, 'n');
    nodes_.push_back(std::make_unique<fastgpu::node>(fastgpu::node_options{
        .listen = "unix:" + folder_.path(name), .name = name, .devices = {.devices = devices}}));
    return *nodes_.back();
  }
  /// A cluster of `local` devices and all nodes so far.
  cluster join(const std::string& local = "none")
  {
    cluster c{local};
    for (const auto& n : nodes_) c.add_node(n->address());
    return c;
  }
  void kill(std::size_t number) { nodes_.at(number).reset(); }

  support::folder folder_;
  std::vector<std::unique_ptr<fastgpu::node>> nodes_;
};

}  // namespace nodes_test
