// boundary.cpp -- arguments that cannot be, arguments in messages, and exceptions as last errors.
#include "frontend_abi/boundary.h"

#include <new>

#include "graph/error.h"

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
  if (!value) fail(name, " is NULL; pass a text, \"\" for none");
  return value;
}
void CString::show(std::string& text) const {
  open(text, name);
  if (!value) {
    text += "NULL";
    return;
  }
  const std::string_view all = value;
  text.append("\"").append(all.substr(0, kLongestText));
  text += all.size() > kLongestText ? "...\"" : "\"";
}

void check_list(const char* name, const void* pointer, int64_t length, int64_t most) {
  if (length < 0) fail(name, " has the negative length ", length);
  if (!pointer && length > 0) fail(name, " is NULL but has the length ", length);
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

template <class T>
void Pointer<T>::show(std::string& text) const {
  open(text, name) += value ? "(pointer)" : "NULL";
}
template struct Pointer<const double>;
template struct Pointer<const int64_t>;
template struct Pointer<int64_t>;
template struct Pointer<float>;
template struct Pointer<void>;

void tell(std::string_view call) {
  std::string message(call);
  try {
    throw;
  } catch (const Error& error) {
    if (error.complete()) message = error.text();
    else message += ": " + error.text();
  } catch (const std::bad_alloc&) {
    message += ": " + *out_of_memory();
  } catch (const std::exception& error) {
    message += std::string(": ") + error.what();
  } catch (...) {
    message += ": an unknown failure";
  }
  Turn turn(Engine::instance());
  turn.engine.report(turn, std::move(message));
}

void tell_without_words() noexcept try {
  Turn turn(Engine::instance());
  turn.engine.report(turn, *out_of_memory());  // so short that it takes no memory
} catch (...) {  // no engine, even: the result alone says that the call failed
}

}  // namespace rt::abi
