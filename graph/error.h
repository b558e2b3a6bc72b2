// error.h -- Error, the one exception of the core, and functions that compose its text.
#pragma once
#include <exception>
#include <string>
#include <string_view>
#include <type_traits>

namespace rt {

/// A failure, described for the client. It never crosses the ABI: guarded() in
/// frontend_abi/boundary.h turns it into the thread's last error.
/// `complete`: the text already begins with the call that it belongs to.
class Error : public std::exception {
 public:
  explicit Error(std::string text, bool complete = false)
      : text_(std::move(text)), complete_(complete) {}
  const char* what() const noexcept override { return text_.c_str(); }
  const std::string& text() const { return text_; }
  bool complete() const { return complete_; }

 private:
  std::string text_;
  bool complete_;
};

namespace detail {
inline void put(std::string& out, std::string_view text) { out += text; }
inline void put(std::string& out, char text) { out += text; }
template <class Number>
requires std::is_arithmetic_v<Number>
void put(std::string& out, Number value) { out += std::to_string(value); }
}  // namespace detail

/// The parts as one text.
template <class... Parts>
std::string join(const Parts&... parts) {
  std::string text;
  (detail::put(text, parts), ...);
  return text;
}

/// Throws an Error whose text is the parts joined: cause and remedy. The call is put in front of
/// it where it is known.
template <class... Parts>
[[noreturn]] void fail(const Parts&... parts) {
  throw Error(join(parts...));
}

}  // namespace rt
