// boundary.cpp -- checks of arguments, arguments in messages, and exceptions as last errors.
#include "frontend_abi/boundary.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <new>

#include "graph/error.h"
#include "graph/printable.h"

namespace rt::abi {
namespace {

constexpr size_t kLongestText = 200;

std::string& open(std::string& text, const char* name) { return text.append(name).append("="); }

}  // namespace

void Number::show(std::string& text) const { open(text, name) += std::to_string(value); }
void Narrow::show(std::string& text) const { open(text, name) += std::to_string(get()); }
void Boolean::show(std::string& text) const { open(text, name) += get() ? "1" : "0"; }
void HandleNumber::show(std::string& text) const {
  (open(text, name) += "#") += std::to_string(value);
}
void Real::show(std::string& text) const { open(text, name) += to_string(value); }
void RealBits::show(std::string& text) const { open(text, name) += to_string(get()); }

std::string_view CString::get() const {
  if (!value) fail(name, " is NULL; pass a text, or \"\" for none");
  return value;
}
void CString::show(std::string& text) const {
  open(text, name);
  if (!value) {
    text += "NULL";
    return;
  }
  const std::string_view all = value;
  text +=
      join('"', printable(all.substr(0, kLongestText)), all.size() > kLongestText ? "...\"" : "\"");
}

bool is_unmapped(int64_t address) {
  constexpr int64_t kFirst = 64 << 10;  // the system maps nothing below this address
  if (address < kFirst) return address != 0;
  unsigned char resident = 0;
  void* const page = reinterpret_cast<void*>(address & -int64_t{sysconf(_SC_PAGESIZE)});
  return mincore(page, 1, &resident) != 0 && errno == ENOMEM;
}

void check_list(const char* name, const void* pointer, int64_t length, int64_t most) {
  if (length < 0) fail(name, " has the length ", length, "; it must be at least 0");
  if (!pointer && length > 0)
    fail(name, " is NULL but has the length ", length, "; pass the address of a list");
  if (length > 0 && is_number(pointer))
    fail(name, " is the number ", reinterpret_cast<int64_t>(pointer),
         "; pass the address of a list");
  if (length > most) fail(name, " has the length ", length, "; at most ", most, " is possible");
}

void write_count(std::string& text, int64_t length) { text += join("(", length, " elements)"); }
void write_sizes(std::string& text, std::span<const int64_t> sizes) { text += to_string(sizes); }
void write_handles(std::string& text, std::span<const int64_t> handles) {
  constexpr size_t kShown = 16;
  if (handles.size() > kShown) return write_data(text, handles);
  text += "[";
  for (const int64_t handle : handles) {
    if (text.back() != '[') text += ", ";
    text += join("#", handle);
  }
  text += "]";
}

std::span<const int64_t> sizes_one_by_one(std::span<const int64_t, 5> words) {
  constexpr int64_t kMost = 4;
  const int64_t ndim = words[kMost];
  const auto refuse = [&](const std::string& cause) {
    fail(cause, "; pass a list of sizes, or d0, d1, d2, d3 and ndim: ndim is from 1 to ", kMost,
         ", and as many sizes are at least 0");
  };
  if (ndim < 1 || ndim > kMost)
    refuse(join("the first argument is the number ", words[0], ", not a list, and ndim is ", ndim));
  const auto sizes = words.first(static_cast<size_t>(ndim));
  for (size_t at = 0; at < sizes.size(); ++at)
    if (sizes[at] < 0) refuse(join("d", at, " is ", sizes[at]));
  return sizes;
}
void write_sizes_one_by_one(std::string& text, std::span<const int64_t, 5> words) {
  text += join("d0=", words[0], ", d1=", words[1], ", d2=", words[2], ", d3=", words[3],
               ", ndim=", words[4]);
}

template <class T>
void Pointer<T>::show(std::string& text) const {
  open(text, name) += value ? "(pointer)" : "NULL";
}
template struct Pointer<const double>;
template struct Pointer<const int64_t>;
template struct Pointer<int64_t>;
template struct Pointer<double>;
template struct Pointer<float>;
template struct Pointer<void>;

void report_failure(std::string_view call) {
  std::string message(call);
  Failure failure = Failure::Call;
  try {
    throw;
  } catch (const Error& error) {
    failure = failure_of(error);
    if (error.complete()) message = error.text();
    else message += ": " + error.text();
  } catch (const std::bad_alloc&) {
    message += ": " + *out_of_memory();
  } catch (const std::exception& error) {
    message += std::string(": ") + error.what();
  } catch (...) {
    message += ": an unknown failure";
  }
  CallContext context(Engine::instance());
  context.engine.reports.report(context, std::move(message), call, failure);
}

void report_out_of_memory() noexcept try {
  CallContext context(Engine::instance());
  // A message so short that it allocates nothing.
  context.engine.reports.report(context, *out_of_memory(), "", Failure::Call);
} catch (...) {  // there is no engine either: only the result says that the call failed
}

}  // namespace rt::abi
