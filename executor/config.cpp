// config.cpp -- reads the environment and dl.config.sdn.
#include "executor/config.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <functional>
#include <limits>

#include "elementwise/simd.h"
#include "files/file.h"
#include "graph/environment.h"
#include "graph/error.h"
#include "graph/printable.h"

namespace rt {
namespace {

/// Stores a value in the settings. Returns false where the value is not allowed.
using Take = std::function<bool(Config&, const std::string&)>;
struct Variable {
  const char* name;
  std::string allowed;
  Take take;
  bool is_path = false;  ///< it names a file or a folder
};

template <class Number>
bool read_number(std::string_view text, Number& value) {
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  return error == std::errc() && stop == end;
}

/// A variable that stores a whole number from `least` to `most` in a member.
template <class Number>
Variable whole(const char* name, Number Config::*member, int64_t least,
               int64_t most = std::numeric_limits<Number>::max()) {
  const std::string allowed = most == std::numeric_limits<Number>::max()
                                  ? join("a whole number, ", least, " or more, in digits only")
                                  : join("a whole number from ", least, " to ", most);
  return {name, allowed, [=](Config& config, const std::string& text) {
            int64_t value = 0;
            if (!read_number(text, value) || value < least || value > most) return false;
            config.*member = static_cast<Number>(value);
            return true;
          }};
}

bool is_switch(const std::string& text) { return text == "0" || text == "1"; }

bool is_device(std::string_view text) {
  if (text == "cpu" || text == "cuda") return true;
  uint8_t index = 0;
  return text.starts_with("cuda:") && read_number(text.substr(5), index) && index <= INT8_MAX;
}

/// "avx2, sse4 or baseline", as far as this processor has them.
std::string simd_names() {
  std::string names;
  const auto targets = cpu::simd_targets();
  for (const cpu::SimdTarget& target : targets)
    names += join(names.empty() ? "" : &target == &targets.back() ? " or " : ", ", target.name);
  return names;
}

std::vector<Variable> variables() {
  return {
      {"RT_TORCH_POLICY", "observe, data or eager",
       [](Config& config, const std::string& text) {
         const auto policy = parse_policy(text);
         if (policy) config.policy = *policy;
         return policy.has_value();
       }},
      {"RT_TORCH_BACKEND", "auto, libtorch or reference",
       [](Config& config, const std::string& text) {
         config.backend = text;
         return text == "auto" || text == "libtorch" || text == "reference";
       }},
      {"RT_TORCH_LIBTORCH", "a folder with libtorch's lib/",
       [](Config& config, const std::string& text) {
         config.libtorch = text;
         return true;
       },
       true},
      {"RT_TORCH_DEVICE", "cpu, cuda or cuda:N",
       [](Config& config, const std::string& text) {
         config.device = text;
         config.device_is_order = true;
         return is_device(text);
       }},
      {"RT_TORCH_CUDA_FALLBACK", "cpu",
       [](Config& config, const std::string& text) {
         config.cuda_falls_back = true;
         return text == "cpu";
       }},
      {"RT_TORCH_SEED", "a whole number of 64 bits",
       [](Config& config, const std::string& text) {
         int64_t negative = 0;  // as rt_torch_manual_seed takes it
         if (read_number(text, config.seed)) return true;
         if (!read_number(text, negative)) return false;
         config.seed = static_cast<uint64_t>(negative);
         return true;
       }},
      whole("RT_TORCH_THREADS", &Config::threads, 0, 4096),
      whole("RT_TORCH_COMPILE_AFTER", &Config::compile_after, 0),
      whole("RT_TORCH_CACHE_ENTRIES", &Config::cache_entries, 0),
      whole("RT_TORCH_CACHE_BYTES", &Config::cache_bytes, 0),
      whole("RT_TORCH_MAX_PENDING_NODES", &Config::max_pending_nodes, 1),
      whole("RT_TORCH_MAX_PENDING_BYTES", &Config::max_pending_bytes, 1),
      {"RT_TORCH_FUSE", "0 or 1",
       [](Config& config, const std::string& text) {
         config.use.fuse = text == "1";
         return is_switch(text);
       }},
      {"RT_TORCH_REUSE", "0 or 1",
       [](Config& config, const std::string& text) {
         config.use.reuse = text == "1";
         return is_switch(text);
       }},
      {"RT_TORCH_SIMD", simd_names() + " on this processor",
       [](Config&, const std::string& text) {  // only checked: simd.cpp reads it, in the plugin too
         return std::ranges::any_of(cpu::simd_targets(),
                                    [&](const auto& target) { return target.name == text; });
       }},
      {"RT_TORCH_ASYNC", "0 or 1",
       [](Config& config, const std::string& text) {
         config.async = text == "1";
         return is_switch(text);
       }},
      whole("RT_TORCH_FORBID", &Config::forbid, 1),
      whole("RT_TORCH_DEBUG", &Config::debug, 0, 4),
      {"RT_TORCH_ON_ERROR", "print or abort",
       [](Config& config, const std::string& text) {
         config.on_error = text == "abort" ? OnError::Abort : OnError::Print;
         return text == "print" || text == "abort";
       }},
      {"RT_TORCH_DUMP", "a folder",
       [](Config& config, const std::string& text) {
         config.dump = text;
         return true;
       },
       true},
      {"RT_TORCH_DUMP_INPUTS", "0 or 1",
       [](Config& config, const std::string& text) {
         config.dump_inputs = text == "1";
         return is_switch(text);
       }},
      {"RT_TORCH_HOLDS", "a file",
       [](Config& config, const std::string& text) {
         config.holds = text;
         return true;
       },
       true},
      {"RT_TORCH_TRACE", "a file",
       [](Config& config, const std::string& text) {
         config.trace = text;
         return true;
       },
       true},
  };
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

/// The value of a line `key: value`. It may be quoted, and a comment may follow.
std::string_view config_value(std::string_view text) {
  text = trimmed(text);
  if (!text.empty() && (text[0] == '"' || text[0] == '\'')) {
    const size_t end = text.find(text[0], 1);
    return end == std::string_view::npos ? std::string_view() : trimmed(text.substr(1, end - 1));
  }
  return trimmed(text.substr(0, text.find('#')));
}

constexpr const char* kFile = "dl.config.sdn";

/// The device that dl.config.sdn in the working directory names; "": none. Where the file cannot be
/// read, `notes` gets the reason.
std::string device_of_folder(std::vector<std::string>& notes) {
  constexpr int64_t kMaxBytes = 64 << 10;
  std::error_code ignored;
  if (!std::filesystem::exists(std::filesystem::symlink_status(kFile, ignored))) return {};
  if (has_raised_rights()) {
    notes.push_back(join(kFile, " is not read: the program has rights that its user lacks"));
    return {};
  }
  try {
    return device_of_config_file(files::read_text(kFile, kMaxBytes));
  } catch (const Error& error) {
    notes.push_back(join(kFile, " is not read: it ", error.text()));
    return {};
  }
}

}  // namespace

Config read_config(std::string& complaint) {
  Config config;
  for (const Variable& variable : variables()) {
    const char* text = environment(variable.name);
    if (!text) continue;
    if (variable.is_path && has_raised_rights()) {
      config.notes.push_back(
          join(variable.name, " is ignored: the program has rights that its user lacks"));
      continue;
    }
    Config changed = config;
    if (variable.take(changed, text)) config = std::move(changed);
    else if (complaint.empty())
      complaint = join(variable.name, " is '", printable(text), "'; allowed is ", variable.allowed);
  }
  if (environment("RT_TORCH_DEVICE")) return config;
  const std::string wish = device_of_folder(config.notes);
  if (!wish.empty()) config.device = wish;
  return config;
}

std::string device_of_config_file(const std::string& text) {
  // `device` is read at the outermost level and directly under `dl`, not in other sections.
  std::string_view rest = text, section;
  if (rest.starts_with("\xef\xbb\xbf")) rest.remove_prefix(3);
  std::string found;
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    const std::string_view content = trimmed(line);
    const size_t colon = content.find(':');
    if (content.empty() || content[0] == '#' || colon == std::string_view::npos) continue;
    const std::string_view key = trimmed(content.substr(0, colon));
    const std::string_view value = config_value(content.substr(colon + 1));
    const bool nested = line[0] == ' ' || line[0] == '\t';
    if (!nested) section = value.empty() ? key : std::string_view();
    if (key != "device" || (nested && section != "dl")) continue;
    if (is_device(value)) found = value;
  }
  return found;
}

}  // namespace rt
