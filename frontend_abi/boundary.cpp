// boundary.cpp -- arguments that cannot be, arguments in messages, and exceptions as last errors.
#include "frontend_abi/boundary.h"

#include <new>

#include "graph/error.h"

namespace rt::abi {
namespace {

constexpr size_t kLongestText = 200;

std::string& open(std::string& text, const char* name) { return text.append(name).append("="); }

void show_length(std::string& text, const char* name, const void* items, int64_t length) {
  if (!items && length != 0) text += join(name, "=NULL, ", name, "_len=", length);
  else text += join(name, "=(", length, " elements)");
}

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

void DimList::show(std::string& text) const {
  if (!sound()) return show_length(text, name, items, length);
  open(text, name) += to_string(get());
}
void HandleList::show(std::string& text) const {
  constexpr int64_t kShown = 16;
  if (!sound() || length > kShown) return show_length(text, name, items, length);
  open(text, name) += "[";
  for (const int64_t handle : get()) {
    if (text.back() != '[') text += ", ";
    text += join("#", handle);
  }
  text += "]";
}
template <class T>
void Data<T>::show(std::string& text) const {
  show_length(text, this->name, this->items, this->length);
}
template <class T>
void Pointer<T>::show(std::string& text) const {
  open(text, name) += value ? "(pointer)" : "NULL";
}
template <class T>
void RoomArgument<T>::show(std::string& text) const {
  text += join("out=", items ? "(pointer)" : "NULL", ", capacity=", capacity);
}
template struct Data<int64_t>;
template struct Data<double>;
template struct Pointer<const double>;
template struct Pointer<const int64_t>;
template struct Pointer<int64_t>;
template struct Pointer<float>;
template struct Pointer<void>;
template struct RoomArgument<int64_t>;
template struct RoomArgument<double>;

void tell(Turn* turn, std::string_view call) {
  std::string message(call);
  try {
    throw;
  } catch (const Error& error) {
    if (error.complete()) message = error.text();
    else message += ": " + error.text();
  } catch (const std::bad_alloc&) {
    message += ": out of memory";
  } catch (const std::exception& error) {
    message += std::string(": ") + error.what();
  } catch (...) {
    message += ": an unknown failure";
  }
  if (turn) turn->engine.report(*turn, message);
  else Engine::this_thread().last_error = message;
}

}  // namespace rt::abi
