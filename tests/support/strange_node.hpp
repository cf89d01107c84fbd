#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fastgpu/cluster/credentials.hpp>

#include "net/connection.hpp"
#include "net/listener.hpp"
#include "net/network.hpp"
#include "net/self.hpp"

/// @file
/// A node that says what a test wants it to.

namespace support {

/// Says of itself what it is told to, and once it is welcomed what `opens` sends; then nothing but heartbeats.
class strange_node final : fastgpu::detail::connection_owner {
 public:
  using opening = std::function<void(fastgpu::detail::connection&)>;

  strange_node(const std::string& where, const std::optional<fastgpu::credentials>& as,
               std::function<void(fastgpu::detail::session_self&)> alter, opening opens = nullptr)
      : alter_{std::move(alter)}, opens_{std::move(opens)}
  {
    net_.run([&] {
      listener_ = std::make_unique<fastgpu::detail::listener>(
          net_.io(), where, as,
          fastgpu::detail::listener_handlers{.accepted = [this](auto stream) { accept(std::move(stream)); }});
      address_ = listener_->address();
    });
  }
  strange_node(const strange_node&) = delete;
  strange_node& operator=(const strange_node&) = delete;
  ~strange_node()
  {
    net_.run([&] {
      listener_.reset();
      sessions_.clear();
    });
  }
  [[nodiscard]] const std::string& address() const { return address_; }

 private:
  void accept(fastgpu::detail::byte_stream stream)
  {
    auto self = fastgpu::detail::this_process("n2");
    self.server = true;
    alter_(self);
    fastgpu::detail::connection_owner& me = *this;
    sessions_.push_back(std::make_unique<fastgpu::detail::connection>(net_, std::move(stream), std::move(self), me));
  }
  void opened(fastgpu::detail::connection& which) override
  {
    if (opens_) opens_(which);
  }
  void received(fastgpu::detail::connection&, fastgpu::detail::message&&, fastgpu::detail::payload&&) override {}
  void suspected(fastgpu::detail::connection&, bool) override {}
  void closed(fastgpu::detail::connection& which, const fastgpu::failure&) override
  {
    std::erase_if(sessions_, [&](const auto& s) { return s.get() == &which; });
  }

  std::function<void(fastgpu::detail::session_self&)> alter_;
  opening opens_;
  fastgpu::detail::network net_;
  std::unique_ptr<fastgpu::detail::listener> listener_;                 // the network's
  std::vector<std::unique_ptr<fastgpu::detail::connection>> sessions_;  // the network's
  std::string address_;
};

}  // namespace support
