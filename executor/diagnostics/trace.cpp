// trace.cpp -- writes events as JSON to the trace file.
#include "executor/diagnostics/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/file.h>
#include <unistd.h>

#include <cstring>
#include <iostream>

#include "graph/error.h"
#include "graph/printable.h"

namespace rt {
namespace {

constexpr size_t kBuffer = 64 * 1024;
/// A kill may cut a write short at a page boundary of the file, so that no event crosses one.
constexpr int64_t kPage = 4096;
/// The longest text, because a step may have a million operands.
constexpr size_t kMaxText = 1000;

constexpr uint32_t kTracks = 8;  ///< ids reserved for the tracks of one thread
constexpr std::string_view kTrackNames[] = {"recording", "forces", "batches", "compile", "nodes"};

void put_text(std::string& out, std::string_view text) {
  put_quoted(out, text.substr(0, kMaxText));
}

/// Writes a time in microseconds, the unit of the format.
void put_time(std::string& out, int64_t ns) {
  const std::string digits = std::to_string(1000 + ns % 1000);
  out += std::to_string(ns / 1000) + '.' + digits.substr(1);
}

}  // namespace

/// The state of one thread.
struct Trace::Mine {
  uint32_t id;
  uint32_t file = 0;      ///< the count of files when `named` was valid
  uint32_t named = 0;     ///< the tracks that have names in that file, a bit each
  int64_t calls = 0;      ///< in the current slice of recording
  int64_t began = 0;      ///< the time of its first call
  int64_t run_ended = 0;  ///< see end_of_run(); 0: no run was reported
  int64_t track(Track track) const { return kTracks * id + static_cast<uint32_t>(track); }
};

Trace::Mine& Trace::mine() {
  static std::atomic<uint32_t> threads{0};
  thread_local Mine mine{.id = ++threads};
  return mine;
}

Trace::Trace(std::string_view file) : file_(std::filesystem::absolute(file)) {
  begin();
  open(false);
  put_ = static_cast<int64_t>(buffer_.size());
  if (!write_out(std::exchange(buffer_, {})))
    fail(file_.string(), " cannot be written: ", static_cast<const char*>(std::strerror(errno)));
}
Trace::~Trace() { finish(); }

// ---- The file.

/// Begins the text of a file.
void Trace::begin() {
  process_ = getpid();
  ++files_;
  begun_ = true;
  buffer_ = R"([{"ph":"M","name":"process_name","pid":)" + std::to_string(process_) +
            R"(,"args":{"name":)";
  put_text(buffer_, join(program_invocation_short_name, " (", process_, ')'));
  buffer_ += "}}";
  put_ = 0;
}

/// Opens the file, or the first one beside it that is not in use. Throws where that fails.
void Trace::open(bool beside) {
  is_due_ = false;
  std::filesystem::path file = file_;
  for (int other = beside ? 1 : 0;; ++other) {
    if (other > 0)
      file.replace_filename(join(file_.stem().string(), '.', process_,
                                 other > 1 ? join('-', other) : "", file_.extension().string()));
    if (take(file)) break;
  }
  written_ = 0;
}

/// Opens `file` and locks it. False where another trace uses it.
bool Trace::take(const std::string& file) {
  const int opened = ::open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
  if (opened < 0) fail(file, " cannot be opened: ", static_cast<const char*>(std::strerror(errno)));
  // flock(): the lock belongs to the open file, not to the process, and ends with the process.
  if (flock(opened, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    ::close(opened);
    return false;
  }
  descriptor_ = opened;
  [[maybe_unused]] const int pipes_have_no_size = ftruncate(opened, 0);
  return true;
}

void Trace::close() {
  if (descriptor_ >= 0) ::close(descriptor_);
  descriptor_ = -1;
}

/// Writes whole events. On an error returns false with errno set, and cuts the file behind the last
/// event of earlier calls.
bool Trace::write_out(std::string_view events) {
  std::string_view rest = events;
  while (!rest.empty()) {
    const ssize_t count = write(descriptor_, rest.data(), rest.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      const int error = errno;
      [[maybe_unused]] const int ignored = ftruncate(descriptor_, written_);
      close();
      errno = error;
      return false;
    }
    rest.remove_prefix(static_cast<size_t>(count));
  }
  written_ += static_cast<int64_t>(events.size());
  return true;
}

void Trace::flush() {
  const std::lock_guard writing(file_mutex_);
  if (descriptor_ < 0 && !is_due_) return;
  std::string events;
  {
    const std::lock_guard lock(mutex_);
    put_ += static_cast<int64_t>(buffer_.size());
    events = std::exchange(buffer_, {});
  }
  try {
    if (is_due_) open(true);
    if (write_out(events)) return;
    give_up(file_.string() + " cannot be written: " + std::strerror(errno));
  } catch (const Error& error) {  // no file for a forked child
    give_up(error.text());
  }
}

/// Prints that the trace ends. The program's work goes on.
void Trace::give_up(const std::string& why) {
  std::cerr << "rt_torch: RT_TORCH_TRACE: " + printable(why) + "; the trace ends here\n";
  const std::lock_guard lock(mutex_);
  begun_ = false;
}

void Trace::finish() {
  flush();
  const std::lock_guard writing(file_mutex_);
  {
    const std::lock_guard lock(mutex_);
    begun_ = false;
  }
  is_due_ = false;
  if (descriptor_ < 0) return;
  write_out("\n]\n");
  close();
}

/// Leaves the file to the parent, and renews the locks. The child opens a file at its first flush.
void Trace::after_fork_in_child() {
  new (&mutex_) std::mutex;
  new (&file_mutex_) std::mutex;
  close();
  if (!begun_) return;
  is_due_ = true;
  begin();
}

// ---- Events.

void Trace::put(std::string_view event) {
  const int64_t at = (put_ + static_cast<int64_t>(buffer_.size())) % kPage;
  const auto size = static_cast<int64_t>(event.size()) + 2;
  buffer_.reserve(buffer_.size() + kPage + event.size());  // so that nothing below throws
  if (at + size > kPage && size <= kPage) buffer_.append(static_cast<size_t>(kPage - at), ' ');
  buffer_ += ",\n";
  buffer_ += event;
}

void Trace::name_track(Track track) {
  Mine& of = mine();
  if (of.file != files_) of.named = 0;
  of.file = files_;
  const uint32_t bit = 1u << static_cast<uint32_t>(track);
  if (of.named & bit) return;
  of.named |= bit;
  char thread[16] = "";
  pthread_getname_np(pthread_self(), thread, sizeof thread);
  const std::string where = join(R"(,"pid":)", process_, R"(,"tid":)", of.track(track));
  std::string named = join(R"({"ph":"M","name":"thread_name")", where, R"(,"args":{"name":)");
  put_text(named, join("thread ", of.id, " (", static_cast<const char*>(thread),
                       "): ", kTrackNames[static_cast<size_t>(track)]));
  put(named + "}}");
  put(join(R"({"ph":"M","name":"thread_sort_index")", where, R"(,"args":{"sort_index":)",
           of.track(track), "}}"));
}

void Trace::slice(Track track, std::string_view name, int64_t start, int64_t end,
                  Details details) noexcept try {
  std::string event = R"({"ph":"X","name":)";
  put_text(event, name);
  event += R"(,"ts":)";
  put_time(event, start);
  event += R"(,"dur":)";
  put_time(event, end - start);
  event += R"(,"args":{)";
  for (const Detail& detail : details) {
    if (!detail.number && detail.text.empty()) continue;
    if (event.back() != '{') event += ',';
    put_text(event, detail.name);
    event += ':';
    if (detail.number) event += std::to_string(*detail.number);
    else put_text(event, detail.text);
  }
  event += join(R"(},"tid":)", mine().track(track), R"(,"pid":)");

  bool full = false;
  {
    const std::lock_guard lock(mutex_);
    if (!begun_) return;
    name_track(track);
    put(join(event, process_, '}'));
    full = buffer_.size() >= kBuffer;
  }
  // Nodes are reported without the engine's lock. Other tracks have few events in a batch.
  if (full && track == Track::Nodes) flush();
} catch (const std::exception&) {  // no memory: the event is lost
}

void Trace::call() {
  Mine& of = mine();
  if (of.calls++ == 0) of.began = now_ns();
}

void Trace::recorded(int64_t nodes) {
  Mine& of = mine();
  slice(Track::Recording, "recording", of.began, now_ns(), {{"calls", of.calls}, {"nodes", nodes}});
  of.calls = 0;
}

void Trace::ran_steps(const Batch& batch, std::span<const int64_t> times) noexcept {
  ran_steps(batch, times, {});
}

void Trace::ran_steps(const Batch& batch, std::span<const int64_t> times,
                      const DumpNotes& notes) noexcept try {
  mine().run_ended = now_ns();
  for (size_t step = 0; step + 1 < times.size(); ++step)
    slice(Track::Nodes, info(batch.steps[step].op).name, times[step], times[step + 1],
          {{"step", step_text(batch, step, &notes)}});
} catch (const std::exception&) {  // no memory: the events are lost
}

void Trace::ran(std::string_view name, std::string_view about, int64_t start,
                int64_t end) noexcept {
  if (mine().run_ended < end) mine().run_ended = now_ns();
  slice(Track::Nodes, name, start, end, {{"of", about}});
}

int64_t Trace::end_of_run() {
  const int64_t reported = std::exchange(mine().run_ended, 0);
  return reported != 0 ? reported : now_ns();
}

}  // namespace rt
