// host.cpp -- a program that opens the library at run time, executes the steps in its arguments and
// prints their findings, for example "host open=LIB use close".
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <thread>

#include "tests/loading/client.h"

namespace rt_test {
namespace {

std::vector<Library> libraries;
Library& newest() { return libraries.back(); }

/// Prints the backend's name after a right result, or the reason why there is none.
void use(const Library& library) {
  try {
    compute(library, 64);
    std::puts(library.backend());
  } catch (const Refused& refused) {
    std::printf("refused: %s\n", refused.what());
  }
}

/// Counts the files of this name that the process has mapped.
void count_maps(const std::string& name) {
  std::ifstream maps("/proc/self/maps");
  std::set<std::string> files;
  for (std::string line; std::getline(maps, line);)
    if (line.ends_with('/' + name)) files.insert(line.substr(line.find('/')));
  std::printf("%s: %zu\n", name.c_str(), files.size());
}

void preload(const std::string& path) {
  if (!dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)) throw std::runtime_error(dlerror());
}

/// A thread that used the library ends with work pending after the library was closed.
void outlive() {
  std::optional<Client> client;
  std::thread thread([&] {
    compute(newest(), 32);
    client.emplace(newest()).chain(client->square(4, 1), 3);
    newest().close();
  });
  thread.join();
}

/// Two libraries alternate, in one thread and in two, and must not share handles.
void take_turns() {
  const Library &one = libraries.at(0), &other = libraries.at(1);
  {
    Client mine(one), theirs(other);
    int64_t here = mine.square(8, 1);
    if (other.live_handles() != 0) throw Wrong("a handle of one library is live in the other");
    if (other.torchtensor_sum(here) == 64) throw Wrong("a handle of one library means the other's");
    int64_t there = theirs.square(16, 2);
    for (int i = 0; i < 100; ++i) {
      here = mine.chain(here, 1);
      there = theirs.chain(there, 2);
    }
    mine.expect(one.torchtensor_sum(here), 64 * 101);
    theirs.expect(other.torchtensor_sum(there), 256 * 202);
  }
  std::thread thread([&] {
    for (int i = 0; i < 20; ++i) compute(other, 64);
  });
  for (int i = 0; i < 20; ++i) compute(one, 64);
  thread.join();
  for (const Library* library : {&one, &other}) {
    if (library->live_handles() != 0) throw Wrong("handles were left");
    std::puts(library->backend());
  }
}

/// 100,000 nodes in a chain, on a thread with a small stack.
void* go_deep(void*) {
  const Library& library = newest();
  Client client(library);
  const int64_t size = 4;
  int64_t last = library.tensor_full(&size, 1, 0);
  for (int i = 0; i < 100000; ++i) {
    const int64_t next = library.torchtensor_add_scalar(last, 1);
    library.torchtensor_free(last);
    last = next;
  }
  client.expect(library.torchtensor_sum(client.keep(last)), 400000);
  return nullptr;
}
void deep() {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 1 << 20);
  pthread_t thread;
  if (pthread_create(&thread, &attributes, go_deep, nullptr) != 0)
    throw std::runtime_error("no thread");
  pthread_join(thread, nullptr);
  std::printf("batches: %d\n", static_cast<int>(newest().stat("batches")));
}

using Step = std::function<void(const std::string& argument)>;
const std::map<std::string, Step> kSteps = {
    {"open", [](const std::string& path) { libraries.emplace_back(path); }},
    {"preload", preload},
    {"chdir",
     [](const std::string& folder) {
       if (chdir(folder.c_str()) != 0) throw std::runtime_error("no folder " + folder);
     }},
    {"maps", count_maps},
    {"use", [](const std::string&) { use(newest()); }},
    {"at", [](const std::string& file) { newest().set_location(file.c_str(), 12); }},
    {"kill", [](const std::string&) { raise(SIGKILL); }},
    {"close", [](const std::string&) { newest().close(); }},
    {"outlive", [](const std::string&) { outlive(); }},
    {"take-turns", [](const std::string&) { take_turns(); }},
    {"deep", [](const std::string&) { deep(); }},
};

}  // namespace
}  // namespace rt_test

int main(int argc, char** argv) {
  try {
    for (int i = 1; i < argc; ++i) {
      const std::string attr = argv[i];
      const size_t equals = attr.find('=');
      rt_test::kSteps.at(attr.substr(0, equals))(
          equals == std::string::npos ? "" : attr.substr(equals + 1));
    }
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
