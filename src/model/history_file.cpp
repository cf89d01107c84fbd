#include "model/history_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <exception>
#include <memory>
#include <new>
#include <stdexcept>
#include <system_error>
#include <utility>

#include <boost/system/system_error.hpp>

#include <fastgpu/version.hpp>

#include "detail/format.hpp"
#include "detail/size_signal.hpp"
#include "model/machine.hpp"
#include "observe/json.hpp"

namespace fastgpu::inline v0::detail {
namespace {

constexpr const char* format_name = "fastgpu-history/1";
constexpr std::size_t bytes_max = std::size_t{16} << 20;
constexpr std::int64_t day_s = 24 * 60 * 60;
constexpr std::int64_t age_max_s = 90 * day_s;
constexpr int size_class_max = 191;  // three dimensions of 64 bits

std::string said(int number) { return std::generic_category().message(number); }

/// What a file says of itself may be long.
std::string brief(const std::string& text) { return text.substr(0, 80); }

std::string text_of(const history_machine& m) { return brief(m.cpu) + ", " + std::to_string(m.cores) + " cores"; }

/// Why a file is refused, in words for people.
struct refusal : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class owned_file {
 public:
  explicit owned_file(int fd) : fd_{fd} {}
  ~owned_file() { close(); }
  owned_file(const owned_file&) = delete;
  owned_file& operator=(const owned_file&) = delete;
  [[nodiscard]] int get() const noexcept { return fd_; }
  /// @return  0, or errno.
  int close() noexcept
  {
    const int fd = std::exchange(fd_, -1);
    return fd < 0 || ::close(fd) == 0 ? 0 : errno;
  }

 private:
  int fd_;
};

// Reading ---------------------------------------------------------------------------------------------------------

std::string checked_name(const json::value& value, bool may_be_empty)
{
  auto name = json::value_to<std::string>(value);
  if (name.size() > history::name_bytes_max || (name.empty() && !may_be_empty)) {
    throw refusal{"the name of a kernel or device is of " + std::to_string(name.size()) + " bytes"};
  }
  return name;
}

history_entry entry_of(const json::object& fields, std::int64_t now_s)
{
  history_entry e;
  e.kernel = checked_name(fields.at("kernel"), false);
  e.device = checked_name(fields.at("device"), true);
  e.size_class = fields.at("size_class").to_number<int>();
  e.date_s = fields.at("date").to_number<std::int64_t>();
  const auto& speeds = fields.at("speeds").as_array();
  if (e.size_class < 0 || e.size_class > size_class_max) throw refusal{"a size class is not there"};
  if (e.date_s > now_s + day_s) throw refusal{"an entry is of the future"};
  if (speeds.empty() || speeds.size() > history::speeds_max) {
    throw refusal{"an entry has " + std::to_string(speeds.size()) + " speeds"};
  }
  for (const auto& speed : speeds) {
    e.speeds.push_back(speed.to_number<double>());
    if (!history::is_speed(e.speeds.back())) {
      throw refusal{format("an entry has a speed of %g indices a second", e.speeds.back())};
    }
  }
  return e;
}

history_reading checked(const json::object& root, const history_machine& here, std::int64_t now_s)
{
  const auto kind = json::value_to<std::string>(root.at("format"));
  if (kind != format_name) throw refusal{"its format is '" + brief(kind) + "', not '" + format_name + "'"};
  const auto& machine = root.at("machine").as_object();
  const history_machine there{json::value_to<std::string>(machine.at("cpu")),
                              machine.at("cores").to_number<std::uint32_t>()};
  if (there != here) {
    throw refusal{"it is of another machine (" + text_of(there) + "; this is " + text_of(here) + ")"};
  }
  const auto& entries = root.at("entries").as_array();
  if (entries.size() > history::keys_max) {
    throw refusal{"it has " + std::to_string(entries.size()) + " entries, more than " +
                  std::to_string(history::keys_max)};
  }
  history_reading reading;
  for (const auto& item : entries) {
    auto e = entry_of(item.as_object(), now_s);
    if (e.date_s >= now_s - age_max_s) reading.entries.push_back(std::move(e));
  }
  if (reading.entries.empty() && !entries.empty()) throw refusal{"all of it is older than 90 days"};
  std::stable_sort(reading.entries.begin(), reading.entries.end(),
                   [](const auto& a, const auto& b) { return a.date_s > b.date_s; });
  return reading;
}

/// @return  Its contents; where there is no file nothing, and no reason.
std::string contents_of(const std::string& path, std::string& why)
{
  // Of what is no file nobody waits for the other end.
  const owned_file file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (file.get() < 0) {
    if (errno != ENOENT) why = "opening it: " + said(errno);
    return {};
  }
  struct stat found {};
  if (::fstat(file.get(), &found) != 0 || !S_ISREG(found.st_mode)) {
    why = "it is no regular file";
    return {};
  }
  std::string text;
  for (;;) {  // however long it said it was
    char piece[1 << 16];
    const auto n = ::read(file.get(), piece, sizeof piece);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) why = "reading it: " + said(errno);
    if (n <= 0) break;
    text.append(piece, static_cast<std::size_t>(n));
    if (text.size() > bytes_max) {
      why = "it is larger than 16 MiB";
      break;
    }
  }
  if (why.empty() && text.empty()) why = "it is empty";
  return text;
}

// Writing ---------------------------------------------------------------------------------------------------------

json::object fields_of(const history_entry& e)
{
  return {{"kernel", e.kernel},
          {"device", e.device},
          {"size_class", e.size_class},
          {"date", e.date_s},
          {"speeds", json::value_from(e.speeds)}};
}

/// @return  Why not; empty where it is written.
std::string write_all(owned_file& to, std::string_view text)
{
  const without_size_signal guard;
  while (!text.empty()) {
    const auto n = ::write(to.get(), text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return "writing it: " + said(n < 0 ? errno : ENOSPC);
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  const int problem = to.close();
  return problem == 0 ? "" : "writing it: " + said(problem);
}

}  // namespace

history_machine this_machine()
{
  return {processor_name(), static_cast<std::uint32_t>(std::max(1L, ::sysconf(_SC_NPROCESSORS_CONF)))};
}

history_reading parse_history(std::string_view text, const history_machine& here, std::int64_t now_s)
{
  history_reading reading;
  try {
    return checked(json::parse({text.data(), text.size()}).as_object(), here, now_s);
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const refusal& e) {
    reading.refused = e.what();
  } catch (const boost::system::system_error& e) {  // without where in Boost it was thrown
    reading.refused = "it is damaged: " + e.code().message();
  } catch (const std::exception& e) {  // no JSON, or a field that is not there or of another type
    reading.refused = std::string{"it is damaged: "} + e.what();
  }
  return reading;
}

history_reading read_history(const std::string& path, const history_machine& here, std::int64_t now_s)
{
  history_reading reading;
  const auto text = contents_of(path, reading.refused);
  if (!reading.refused.empty() || text.empty()) return reading;
  return parse_history(text, here, now_s);
}

std::string print_history(const std::vector<history_entry>& entries, const history_machine& here, std::int64_t now_s)
{
  std::string text = R"({"format":)" + json::serialize(json::value(format_name));
  text += R"(,"library":)" + json::serialize(json::value(version())) + R"(,"date":)" + std::to_string(now_s);
  text += R"(,"machine":)" + json::serialize(json::object{{"cpu", here.cpu}, {"cores", here.cores}});
  text += R"(,"entries":[)";
  const char* before = "\n";
  for (const auto& e : entries) {
    const auto line = json::serialize(fields_of(e));
    boost::system::error_code unreadable;  // names need not be UTF-8, as JSON is
    (void)json::parse(line, unreadable);
    if (unreadable) continue;
    if (text.size() + line.size() + 8 > bytes_max) break;
    text += before + line;
    before = ",\n";
  }
  return text + "]}\n";
}

/// Why a file of this name is not to be replaced: it is somebody else's. Empty where it may be.
std::string why_not_ours(const std::string& path)
{
  struct stat what {};
  if (::stat(path.c_str(), &what) != 0) return errno == ENOENT ? "" : "looking at it: " + said(errno);
  if (!S_ISREG(what.st_mode)) return "it is no regular file";
  std::string head(sizeof R"({"format":"fastgpu-history/)" - 1, '\0');
  const owned_file file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.get() < 0) return "reading it: " + said(errno);
  const auto n = ::read(file.get(), head.data(), head.size());
  if (n < 0) return "reading it: " + said(errno);
  head.resize(static_cast<std::size_t>(n));
  if (head.empty() || head == R"({"format":"fastgpu-history/)") return "";
  return "it is a file of something else";
}

std::string write_history(const std::string& path, const std::vector<history_entry>& entries,
                          const history_machine& here, std::int64_t now_s)
{
  if (auto why = why_not_ours(path); !why.empty()) return why;
  std::unique_ptr<char, decltype(&::free)> resolved{::realpath(path.c_str(), nullptr), &::free};
  const std::string target = resolved != nullptr ? resolved.get() : path;  // what a link leads to
  history all;
  const auto there = read_history(path, here, now_s);
  for (const auto* some : {&there.entries, &entries}) {
    for (auto e = some->rbegin(); e != some->rend(); ++e) all.take(*e);  // last what is last to be forgotten
  }
  const auto text = print_history(all.entries(), here, now_s);
  auto draft = target + ".XXXXXX";
  owned_file file{::mkostemp(draft.data(), O_CLOEXEC)};  // of mode 0600
  if (file.get() < 0) return "making it: " + said(errno);
  auto why = write_all(file, text);
  if (why.empty() && ::rename(draft.c_str(), target.c_str()) != 0) why = "putting it in place: " + said(errno);
  if (!why.empty()) ::unlink(draft.c_str());
  return why;
}

}  // namespace fastgpu::inline v0::detail
