#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <fastgpu/device/device_info.hpp>
#include <fastgpu/ids.hpp>

#include "cluster/node_link.hpp"
#include "net/listener.hpp"

/// @file
/// The nodes of a cluster, and the thread that speaks with them.

namespace fastgpu::inline v0::detail {

/// Who wants to hear of nodes that come later. Called on the network's thread.
class directory_user {
 public:
  virtual void node_added(node_link& node) = 0;

 protected:
  ~directory_user() = default;
};

/// @par Threads  add(), devices(), trouble(), net(): any. The rest: the network's.
class node_directory {
 public:
  node_directory() = default;
  ~node_directory();
  node_directory(const node_directory&) = delete;
  node_directory& operator=(const node_directory&) = delete;

  [[nodiscard]] network& net() noexcept { return net_; }

  /// Adds a node, and waits until it was reached, or the first attempt has failed; then it is tried again by itself.
  node_id add(node_link_options options);

  /// Takes nodes that dial in at `address` from now on. @return  The address, with the port it got.
  std::string accept(const std::string& address, const std::optional<credentials>& as, const session_limits& limits);

  /// Where there is no device: waits for a worker process that is being started anew, or a node that may dial in.
  /// @param most  0: as long as is usual.
  void await_devices(seconds most);

  /// What the nodes offered last, in their order, those of unreachable nodes left out. `id` is left to the caller.
  [[nodiscard]] std::vector<device_info> devices() const;

  /// Why nodes are missing: of one of them, and how many more there are; empty where none is.
  [[nodiscard]] std::string trouble() const;

  [[nodiscard]] const std::vector<std::unique_ptr<node_link>>& links() const noexcept { return links_; }
  void enroll(directory_user& user) { users_.push_back(&user); }
  void leave(directory_user& user) { std::erase(users_, &user); }

 private:
  void dialled_in(byte_stream stream, const std::optional<credentials>& as, const session_limits& limits);
  node_link& add_link(node_link_options options, std::function<void()> first_news);
  void note_devices();

  network net_;
  std::vector<std::unique_ptr<node_link>> links_;
  std::uint32_t nodes_ = 0;  // ever
  std::vector<std::unique_ptr<listener>> listeners_;
  std::vector<directory_user*> users_;
  mutable std::mutex mutex_;             // leaf lock
  std::vector<device_info> devices_;     // guarded by mutex_
  std::string trouble_;                  // guarded by mutex_
  std::condition_variable changed_;      // with mutex_, of devices_
};

}  // namespace fastgpu::inline v0::detail
