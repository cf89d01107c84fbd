#pragma once

#include <concepts>
#include <condition_variable>
#include <cstddef>
#include <exception>
#include <memory>
#include <mutex>
#include <type_traits>
#include <utility>

#include <boost/asio/associated_allocator.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/execution/blocking.hpp>
#include <boost/asio/execution/context.hpp>
#include <boost/asio/execution/context_as.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/is_executor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/query.hpp>
#include <boost/asio/require.hpp>
#include <boost/asio/system_executor.hpp>
#include <gsl/assert>

#include <fastgpu/detail/ref.hpp>
#include <fastgpu/run.hpp>

/// @file
/// How a run's outcome gets from a thread of the library to a completion handler.

namespace fastgpu::inline v0::detail {

/// What is open on one execution context: runs whose outcome is to be delivered there.
///
/// An operation lies in the list until its run has ended; then a thread of the library takes it out and posts it, and
/// from there on it is the context's. Destroying the context cancels the runs that are still listed, waits for them as
/// ~run does, and for threads that are just posting, and destroys the handlers without calling them.
///
/// @par Threads  open() and close(): any. shutdown(): whoever destroys the context, which must not be a thread of the
///               library.
class completion_service final : public boost::asio::execution_context::service {
 public:
  class operation {
   public:
    operation(const operation&) = delete;
    operation& operator=(const operation&) = delete;

   protected:
    explicit operation(completion_service& home) noexcept : home_{home} {}
    virtual ~operation() = default;

   private:
    friend completion_service;
    [[nodiscard]] virtual run_core& core() const noexcept = 0;
    virtual void post() noexcept = 0;     // gives itself to its executor; without memory for that the program ends
    virtual void destroy() noexcept = 0;  // without calling the handler

    completion_service& home_;
    operation* before_ = nullptr;  // guarded by home_.mutex_, until that is closing
    operation* after_ = nullptr;   // likewise
  };

  static inline boost::asio::execution_context::id id;

  explicit completion_service(boost::asio::execution_context& owner) : service{owner} {}

  /// Lists `what`. @return false where the context is being destroyed: nothing will be delivered there any more.
  [[nodiscard]] bool open(operation& what)
  {
    const std::scoped_lock lock{mutex_};
    if (closing_) return false;
    what.after_ = first_;
    if (first_ != nullptr) first_->before_ = &what;
    first_ = &what;
    ++open_;
    return true;
  }

  /// Takes back open(): the run does not know of the operation.
  /// @return false where shutdown() has the operation, and will destroy it.
  [[nodiscard]] bool close(operation& what) noexcept
  {
    const std::scoped_lock lock{mutex_};
    if (!closing_) unlink(what);
    count_down();
    return !closing_;
  }

  /// To be called by the run when it has ended: run_core::on_finished(ended, &operation).
  static void ended(void* context) noexcept
  {
    auto& what = *static_cast<operation*>(context);
    auto& home = what.home_;
    {
      const std::scoped_lock lock{home.mutex_};
      if (home.closing_) {  // shutdown() waits for this, and destroys the operation
        home.count_down();
        return;
      }
      home.unlink(what);
    }
    what.post();  // it may be gone when this returns, and its context about to go
    const std::scoped_lock lock{home.mutex_};
    home.count_down();
  }

 private:
  void shutdown() override  // called twice by some contexts
  {
    {
      const std::scoped_lock lock{mutex_};
      closing_ = true;
    }
    // The list is this thread's alone now. Cancelling may end a run here and now, and so call ended().
    for (auto* what = first_; what != nullptr; what = what->after_) what->core().cancel();
    {
      std::unique_lock lock{mutex_};
      none_open_.wait(lock, [this] { return open_ == 0; });
    }
    while (first_ != nullptr) {
      auto* const what = first_;
      first_ = what->after_;
      what->destroy();
    }
  }

  void unlink(operation& what) noexcept  // under mutex_
  {
    (what.before_ != nullptr ? what.before_->after_ : first_) = what.after_;
    if (what.after_ != nullptr) what.after_->before_ = what.before_;
  }

  void count_down() noexcept  // under mutex_, so that shutdown() cannot return while this object is in use
  {
    if (--open_ == 0) none_open_.notify_all();
  }

  std::mutex mutex_;                  // leaf lock
  std::condition_variable none_open_;  // with mutex_, of open_
  operation* first_ = nullptr;        // guarded by mutex_, until closing_
  std::size_t open_ = 0;              // guarded by mutex_: operations listed, and those being posted
  bool closing_ = false;              // guarded by mutex_
};

/// The execution context that `executor` belongs to; the system's where it tells of none.
template <class Executor>
boost::asio::execution_context& context_of(const Executor& executor)
{
  namespace execution = boost::asio::execution;
  using any_context = execution::context_as_t<boost::asio::execution_context&>;
  if constexpr (boost::asio::can_query<const Executor&, any_context>::value) {
    return boost::asio::query(executor, any_context{});
  } else if constexpr (requires {
                         { executor.context() } -> std::convertible_to<boost::asio::execution_context&>;
                       }) {
    return executor.context();
  } else {
    return boost::asio::query(boost::asio::system_executor{}, execution::context);
  }
}

/// Whether boost::asio::post() takes it. That of boost::asio::any_completion_handler, for one, may call at once.
template <class Executor>
inline constexpr bool can_post =
    boost::asio::can_require<Executor, boost::asio::execution::blocking_t::never_t>::value ||
    boost::asio::is_executor<Executor>::value;

/// A function for boost::asio::post() that stands for a handler: with its executor and its allocator.
template <class Function, class Executor, class Allocator>
class bound_function {
 public:
  using executor_type = Executor;
  using allocator_type = Allocator;

  bound_function(Function function, const Executor& executor, const Allocator& allocator)
      : function_{std::move(function)}, executor_{executor}, allocator_{allocator}
  {
  }

  [[nodiscard]] executor_type get_executor() const noexcept { return executor_; }
  [[nodiscard]] allocator_type get_allocator() const noexcept { return allocator_; }
  void operator()() { std::move(function_)(); }

 private:
  Function function_;
  Executor executor_;
  Allocator allocator_;
};

/// One wait for a run: owns it and the handler, keeps the contexts of both executors from running out of work.
///
/// `Deliver::deliver(handler, run)` calls the handler.
template <class Deliver, class T, class Handler, class Executor>
class wait_operation final : public completion_service::operation {
  static_assert(can_post<Executor>,
                "fastgpu: the handler's executor cannot post: bind another with boost::asio::bind_executor(), or give "
                "async_wait() or async_aggregate() one");

 public:
  /// Has `handler` called on its associated executor, by way of `io`, when `of` has ended. Where the initiation fails
  /// the run is cancelled and waited for.
  static void start(run<T> of, Handler handler, const Executor& io)
  {
    auto& home = boost::asio::use_service<completion_service>(context_of(io));
    allocator own{boost::asio::get_associated_allocator(handler)};
    room place{own};
    owner self{new (place.at) wait_operation{home, std::move(of), std::move(handler), io, own}};
    place.at = nullptr;

    if (auto slot = boost::asio::get_associated_cancellation_slot(self->handler_); slot.is_connected()) {
      slot.template emplace<canceller>(self->run_.core());
    }
    if (!home.open(*self)) return;
    const ref<run_core> core = self->run_.core();  // the operation may be gone before on_finished() returns
    auto* const listed = self.release();
    try {
      core->on_finished(&completion_service::ended, static_cast<operation*>(listed));
    } catch (...) {
      if (home.close(*listed)) listed->destroy();
      throw;
    }
  }

 private:
  using allocator = typename std::allocator_traits<
      boost::asio::associated_allocator_t<Handler>>::template rebind_alloc<wait_operation>;
  using traits = std::allocator_traits<allocator>;

  struct room {
    explicit room(allocator& from) : of{from}, at{traits::allocate(from, 1)} {}
    ~room()
    {
      if (at != nullptr) traits::deallocate(of, at, 1);
    }
    allocator& of;
    wait_operation* at;
  };
  struct dispose {
    void operator()(wait_operation* what) const noexcept { what->destroy(); }
  };
  using owner = std::unique_ptr<wait_operation, dispose>;

  /// In a cancellation slot. Owns the run: the signal may be there longer than the operation.
  struct canceller {
    explicit canceller(const ref<run_core>& of) : run{of} {}
    void operator()(boost::asio::cancellation_type type) const noexcept
    {
      if ((type & boost::asio::cancellation_type::all) != boost::asio::cancellation_type::none) run->cancel();
    }
    ref<run_core> run;
  };

  wait_operation(completion_service& home, run<T> of, Handler handler, const Executor& io, const allocator& own)
      : operation{home},
        allocator_{own},
        run_{std::move(of)},
        io_work_{io},
        handler_work_{boost::asio::get_associated_executor(handler, io)},
        handler_{std::move(handler)}
  {
  }
  ~wait_operation() override = default;

  run_core& core() const noexcept override { return *run_.core(); }

  void post() noexcept override
  {
    const auto io_work = std::move(io_work_);  // until it is posted: then `io` has that to do
    const auto io = io_work.get_executor();
    const auto executor = handler_work_.get_executor();
    const auto memory = boost::asio::get_associated_allocator(handler_);
    boost::asio::post(io,
                      bound_function{[self = owner{this}]() mutable { complete(std::move(self)); }, executor, memory});
  }

  void destroy() noexcept override
  {
    auto own = allocator_;
    this->~wait_operation();
    traits::deallocate(own, this, 1);
  }

  /// On the handler's executor. The operation's memory is free before the handler is called, as Asio asks for.
  static void complete(owner self)
  {
    if (auto slot = boost::asio::get_associated_cancellation_slot(self->handler_); slot.is_connected()) slot.clear();
    auto handler = std::move(self->handler_);
    auto of = std::move(self->run_);
    self.reset();
    Deliver::deliver(std::move(handler), std::move(of));
  }

  allocator allocator_;
  run<T> run_;
  boost::asio::executor_work_guard<Executor> io_work_;
  boost::asio::executor_work_guard<boost::asio::associated_executor_t<Handler, Executor>> handler_work_;
  Handler handler_;
};

/// The caller's run, until the operation starts: an operation that never does leaves it as it is.
template <class T>
struct borrowed_run {
  ref<run_core> core;
  operator run<T>() && { return run<T>{std::move(core)}; }
};

/// Initiations. Without an executor of the operation's own, the handler's associated one is it.
template <class Deliver, class T>
struct initiate_wait {
  template <class Handler>
  void operator()(Handler&& handler, run<T> of) const
  {
    const auto io = boost::asio::get_associated_executor(handler);
    (*this)(std::forward<Handler>(handler), std::move(of), io);
  }
  template <class Handler, class Executor>
  void operator()(Handler&& handler, run<T> of, const Executor& io) const
  {
    using operation = wait_operation<Deliver, T, std::decay_t<Handler>, Executor>;
    operation::start(std::move(of), std::forward<Handler>(handler), io);
  }
};

template <class>
inline constexpr bool is_run = false;
template <class T>
inline constexpr bool is_run<run<T>> = true;

/// A run to be moved in, or one that stays the caller's.
template <class Run>
concept run_to_wait_for = is_run<std::remove_cvref_t<Run>> && !std::is_const_v<std::remove_reference_t<Run>>;

template <class Run>
using value_type_of = typename std::remove_cvref_t<Run>::value_type;

template <class T>
borrowed_run<T> take_part(run<T>& of)
{
  Expects(of.core());
  return {of.core()};
}
template <class T>
run<T> take_part(run<T>&& of)
{
  Expects(of.core());
  return std::move(of);
}

}  // namespace fastgpu::inline v0::detail
