#include <atomic>
#include <cstdlib>
#include <fstream>
#include <future>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <grpcpp/grpcpp.h>
#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_certificate_verifier.h>
#include <grpcpp/security/tls_credentials_options.h>

#include "dispatch.grpc.pb.h"
#include "nodes/peer.hpp"

/// @file
/// A plain unary service of gRPC's, as its manual says, by callbacks and by completion queues; with and without TLS.

namespace bench {
namespace {

namespace wire = fastgpu::bench;

std::string contents_of(const std::string& path)
{
  std::ifstream file{path};
  return {std::istreambuf_iterator<char>{file}, {}};
}

std::shared_ptr<grpc::ServerCredentials> server_credentials(const std::string& folder, bool tls)
{
  if (!tls) return grpc::InsecureServerCredentials();
  grpc::SslServerCredentialsOptions options;
  options.pem_key_cert_pairs.push_back({contents_of(folder + "/key.pem"), contents_of(folder + "/certificate.pem")});
  return grpc::SslServerCredentials(options);
}

/// Our certificates hold no host's name: the chain is verified, the name is not.
std::shared_ptr<grpc::ChannelCredentials> channel_credentials(const std::string& folder, bool tls)
{
  if (!tls) return grpc::InsecureChannelCredentials();
  grpc::experimental::TlsChannelCredentialsOptions options;
  options.set_certificate_provider(std::make_shared<grpc::experimental::StaticDataCertificateProvider>(
      contents_of(folder + "/ca.pem"), std::vector<grpc::experimental::IdentityKeyCertPair>{}));
  options.watch_root_certs();
  options.set_check_call_host(false);
  options.set_certificate_verifier(std::make_shared<grpc::experimental::NoOpCertificateVerifier>());
  return grpc::experimental::TlsCredentials(options);
}

void complete(const wire::grant& what, wire::completion& to)
{
  to.set_job(what.job());
  to.set_begin(what.begin());
  to.set_end(what.end());
  to.set_value(std::string(sizeof(std::uint64_t), '\0'));
}

wire::grant grant_of(std::uint64_t subtask)
{
  wire::grant what;
  what.set_job(1);
  what.set_begin(static_cast<std::uint32_t>(subtask));
  what.set_end(static_cast<std::uint32_t>(subtask + 1));
  return what;
}

// By callbacks ----------------------------------------------------------------------------------------------------

class callback_server final : public server, private wire::dispatch::CallbackService {
 public:
  callback_server(const std::string& folder, bool tls)
  {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", server_credentials(folder, tls), &port);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
    if (!server_) throw std::runtime_error{"gRPC does not start"};
    address_ = "127.0.0.1:" + std::to_string(port);
  }
  ~callback_server() override { server_->Shutdown(); }
  [[nodiscard]] std::string address() const override { return address_; }

 private:
  grpc::ServerUnaryReactor* run(grpc::CallbackServerContext* context, const wire::grant* what,
                                wire::completion* to) override
  {
    complete(*what, *to);
    auto* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }

  std::unique_ptr<grpc::Server> server_;
  std::string address_;
};

class callback_client final : public client {
 public:
  callback_client(const std::string& folder, const std::string& address, bool tls)
      : stub_{wire::dispatch::NewStub(grpc::CreateChannel(address, channel_credentials(folder, tls)))}
  {
  }
  void run(std::uint64_t count, std::uint32_t in_flight) override
  {
    count_ = count;
    next_ = 0;
    left_ = count;
    done_ = {};
    auto done = done_.get_future();
    for (; in_flight > 0; --in_flight) begin_next();
    done.get();
  }

 private:
  struct call {
    grpc::ClientContext context;
    wire::grant what;
    wire::completion answer;
  };

  void begin_next()
  {
    const auto subtask = next_.fetch_add(1);
    if (subtask >= count_) return;
    auto* c = new call;
    c->what = grant_of(subtask);
    stub_->async()->run(&c->context, &c->what, &c->answer, [this, c](const grpc::Status& status) {
      const bool good = status.ok() && c->answer.begin() == c->what.begin();
      delete c;
      if (!good && !failed_.exchange(true)) {
        done_.set_exception(std::make_exception_ptr(std::runtime_error{"gRPC: " + status.error_message()}));
      }
      if (failed_) return;
      begin_next();
      if (left_.fetch_sub(1) == 1) done_.set_value();
    });
  }

  std::unique_ptr<wire::dispatch::Stub> stub_;
  std::uint64_t count_ = 0;
  std::atomic<std::uint64_t> next_ = 0;
  std::atomic<std::uint64_t> left_ = 0;
  std::atomic<bool> failed_ = false;
  std::promise<void> done_;
};

// By completion queues, a thread on each side ---------------------------------------------------------------------

class queue_server final : public server {
 public:
  queue_server(const std::string& folder, bool tls)
  {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", server_credentials(folder, tls), &port);
    builder.RegisterService(&service_);
    queue_ = builder.AddCompletionQueue();
    server_ = builder.BuildAndStart();
    if (!server_) throw std::runtime_error{"gRPC does not start"};
    address_ = "127.0.0.1:" + std::to_string(port);
    thread_ = std::thread{[this] { serve(); }};
  }
  ~queue_server() override
  {
    server_->Shutdown();
    queue_->Shutdown();
    thread_.join();
  }
  [[nodiscard]] std::string address() const override { return address_; }

 private:
  struct call {
    grpc::ServerContext context;
    wire::grant what;
    wire::completion answer;
    grpc::ServerAsyncResponseWriter<wire::completion> responder{&context};
    bool answered = false;
  };
  void expect_one()
  {
    auto* c = new call;
    service_.Requestrun(&c->context, &c->what, &c->responder, queue_.get(), queue_.get(), c);
  }
  void serve()
  {
    constexpr int expected = 256;
    for (int i = 0; i < expected; ++i) expect_one();
    void* tag = nullptr;
    bool good = false;
    while (queue_->Next(&tag, &good)) {
      auto* c = static_cast<call*>(tag);
      if (!good || c->answered) {
        delete c;
        continue;
      }
      expect_one();
      c->answered = true;
      complete(c->what, c->answer);
      c->responder.Finish(c->answer, grpc::Status::OK, c);
    }
  }

  wire::dispatch::AsyncService service_;
  std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
  std::thread thread_;
};

class queue_client final : public client {
 public:
  queue_client(const std::string& folder, const std::string& address, bool tls)
      : stub_{wire::dispatch::NewStub(grpc::CreateChannel(address, channel_credentials(folder, tls)))}
  {
  }
  ~queue_client() override { queue_.Shutdown(); }
  void run(std::uint64_t count, std::uint32_t in_flight) override
  {
    std::uint64_t next = 0;
    const auto begin_next = [&] {
      if (next == count) return;
      auto* c = new call;
      c->what = grant_of(next++);
      c->reader = stub_->Asyncrun(&c->context, c->what, &queue_);
      c->reader->Finish(&c->answer, &c->status, c);
    };
    for (; in_flight > 0; --in_flight) begin_next();
    void* tag = nullptr;
    bool good = false;
    for (auto left = count; left > 0 && queue_.Next(&tag, &good); --left) {
      const std::unique_ptr<call> c{static_cast<call*>(tag)};
      if (!good || !c->status.ok()) throw std::runtime_error{"gRPC: " + c->status.error_message()};
      begin_next();
    }
  }

 private:
  struct call {
    grpc::ClientContext context;
    wire::grant what;
    wire::completion answer;
    grpc::Status status;
    std::unique_ptr<grpc::ClientAsyncResponseReader<wire::completion>> reader;
  };

  std::unique_ptr<wire::dispatch::Stub> stub_;
  grpc::CompletionQueue queue_;
};

template <class Server, class Client, bool Tls>
peer_kind kind_of(const char* name)
{
  return {name,
          [](const std::string& folder) -> std::unique_ptr<server> { return std::make_unique<Server>(folder, Tls); },
          [](const std::string& folder, const std::string& address) -> std::unique_ptr<client> {
            return std::make_unique<Client>(folder, address, Tls);
          }};
}

}  // namespace

void add_grpc_peers(std::vector<peer_kind>& to)
{
  ::setenv("GRPC_VERBOSITY", "NONE", 0);  // it would tell of the name that is not verified
  to.push_back(kind_of<callback_server, callback_client, false>("grpc_tcp"));
  to.push_back(kind_of<callback_server, callback_client, true>("grpc_tls"));
  to.push_back(kind_of<queue_server, queue_client, false>("grpc_queue_tcp"));
  to.push_back(kind_of<queue_server, queue_client, true>("grpc_queue_tls"));
}

}  // namespace bench
