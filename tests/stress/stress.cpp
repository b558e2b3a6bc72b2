// stress.cpp -- threads, forks and failures at once; every number is checked.
//   rt_stress --seconds 600 --threads 4 --seed 7
// Each thread plays scenes with predictable numbers. Pending values pass between threads, threads
// end with work pending, batches fail on purpose, children fork and compute. All arithmetic is
// exact in f32, so that numbers must be equal to the expected ones.
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <atomic>
#include <chrono>
#include <cmath>
#include <csignal>
#include <filesystem>
#include <iostream>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "rt_torch.h"

namespace rt_test {
namespace {

using Clock = std::chrono::steady_clock;

/// A value for another thread, and the expected value of its elements.
struct Parcel {
  int64_t handle = 0;
  float expected = 0;
};

struct Shared {
  Clock::time_point end;
  std::string folder;
  std::mutex mutex;             ///< protects parcels
  std::vector<Parcel> parcels;  ///< pending values of any thread
  std::atomic<int64_t> checked{0}, wrong{0}, failures{0}, forks{0}, ended{0}, scenes{0};
};

class Player {
 public:
  Player(Shared& shared, uint64_t seed) : shared_(shared), random_(seed), id_(seed) {}

  void play() {
    while (Clock::now() < shared_.end) {
      scene();
      ++shared_.scenes;
    }
  }
  void scene() {
    switch (below(64)) {
      case 0: return fork_off();
      case 1: return leave_a_thread();
      case 2: return save_and_load();
      case 3: return look_around();
      case 4: return too_much_memory();
      default: break;
    }
    switch (below(6)) {
      case 0: chain(true); return;
      case 1: return train();
      case 2: return train_on_bad_data();
      case 3: return send();
      case 4: return receive();
      default: return views();
    }
  }

 private:
  uint64_t below(uint64_t bound) { return random_() % bound; }
  static int64_t filled(int64_t count, double value) {
    return rt_torch_tensor_full(&count, 1, value);
  }
  static int64_t freed(int64_t handle, int64_t result) {
    rt_torch_torchtensor_free(handle);
    return result;
  }

  void expect(const char* scene, int64_t handle, float expected) {
    const int64_t count = rt_torch_torchtensor_numel(handle);
    std::vector<float> numbers(static_cast<size_t>(std::max<int64_t>(count, 1)));
    if (count <= 0 || rt_torch_copy_data_to_cpu(handle, numbers.data(), count) != count)
      return wrong(scene, rt_torch_last_error());
    for (const float number : numbers)
      if (number != expected)
        return wrong(scene, std::to_string(number) + " for " + std::to_string(expected));
    shared_.checked += count;
  }
  void wrong(const char* scene, const std::string& what) {
    std::cerr << std::string(scene) + ": " + what + "\n";
    ++shared_.wrong;
  }

  /// Integers below 2^24, so that no sum is rounded.
  Parcel chain(bool look) {
    const auto count = static_cast<int64_t>(1 + below(2000));
    float expected = static_cast<float>(below(8));
    int64_t value = filled(count, expected);
    for (uint64_t i = below(30); i > 0; --i) {
      const auto number = static_cast<float>(below(5));
      switch (below(4)) {
        case 0:
          value = freed(value, rt_torch_torchtensor_add_scalar(value, number));
          expected += number;
          break;
        case 1:
          value = freed(value, rt_torch_torchtensor_sub(value, value));
          expected = 0;
          break;
        case 2:
          value = freed(value, rt_torch_torchtensor_relu(value));
          expected = std::max(expected, 0.0f);
          break;
        default:
          if (std::abs(expected) > 1e5f) break;
          value = freed(value, rt_torch_torchtensor_mul_scalar(value, number));
          expected *= number;
      }
    }
    if (!look) return {value, expected};
    expect("chain", value, expected);
    rt_torch_torchtensor_free(value);
    return {};
  }

  struct Model {
    int64_t weight = 0, optimizer = 0;
    float expected = 0;
  };
  Model model() {
    Model made{filled(8, 64), 0, 64};
    rt_torch_autograd_set_requires_grad(made.weight, 1);
    made.optimizer = rt_torch_sgd_new(&made.weight, 1, 0.25, 0, 0);
    return made;
  }
  static void free(const Model& model) {
    rt_torch_optimizer_free(model.optimizer);
    rt_torch_torchtensor_free(model.weight);
  }
  /// The loss is the sum of w * w, whose gradient is 2 w, so that a step halves the weight.
  static void step(Model& model) {
    const int64_t squares = rt_torch_torchtensor_mul(model.weight, model.weight);
    const int64_t loss = rt_torch_torchtensor_sum_tensor(squares);
    rt_torch_optimizer_zero_grad(model.optimizer);
    rt_torch_autograd_backward(loss);
    rt_torch_optimizer_step(model.optimizer);
    rt_torch_torchtensor_free(squares);
    rt_torch_torchtensor_free(loss);
    model.expected /= 2;
  }
  void train() {
    Model trained = model();
    for (uint64_t i = 1 + below(8); i > 0; --i) {
      step(trained);
      if (below(4) == 0) expect("train", trained.weight, trained.expected);
    }
    expect("train", trained.weight, trained.expected);
    free(trained);
  }
  /// A step with bad data changes nothing.
  void train_on_bad_data() {
    Model trained = model();
    step(trained);
    if (below(2) == 0) expect("before bad data", trained.weight, trained.expected);
    const int64_t two = 2, indices[] = {0, static_cast<int64_t>(8 + below(5))};
    const int64_t picks = rt_torch_tensor_from_i64_data(indices, 2, &two, 1);
    const int64_t rows = rt_torch_torchtensor_index_select(trained.weight, 0, picks);
    const int64_t loss = rt_torch_torchtensor_sum_tensor(rows);
    rt_torch_optimizer_zero_grad(trained.optimizer);
    rt_torch_autograd_backward(loss);
    rt_torch_optimizer_step(trained.optimizer);
    if (!std::isnan(rt_torch_torchtensor_item(loss))) wrong("bad data", "the loss is a number");
    for (const int64_t handle : {picks, rows, loss}) rt_torch_torchtensor_free(handle);
    ++shared_.failures;
    rt_torch_clear_error();
    expect("after bad data", trained.weight, trained.expected);
    step(trained);
    expect("after bad data and a step", trained.weight, trained.expected);
    free(trained);
    rt_torch_sync();
    rt_torch_clear_error();
  }

  void send() {
    const Parcel parcel = chain(false);
    const std::lock_guard lock(shared_.mutex);
    shared_.parcels.push_back(parcel);
  }
  void receive() {
    Parcel parcel;
    {
      const std::lock_guard lock(shared_.mutex);
      if (shared_.parcels.empty()) return;
      const size_t at = below(shared_.parcels.size());
      parcel = shared_.parcels[at];
      shared_.parcels[at] = shared_.parcels.back();
      shared_.parcels.pop_back();
    }
    if (below(2) == 0) {
      parcel.handle = freed(parcel.handle, rt_torch_torchtensor_add_scalar(parcel.handle, 1));
      parcel.expected += 1;
    }
    expect("from another thread", parcel.handle, parcel.expected);
    rt_torch_torchtensor_free(parcel.handle);
  }

  void views() {
    const int64_t sizes[] = {4, 6};
    const int64_t all = rt_torch_tensor_full(sizes, 2, 3);
    const int64_t part = rt_torch_torchtensor_slice(all, 1, 1, 5, 1);
    const int64_t turned = rt_torch_torchtensor_transpose(part, 0, 1);
    rt_torch_torchtensor_free(all);
    const int64_t sum = rt_torch_torchtensor_add(turned, turned);
    rt_torch_torchtensor_free(part);
    expect("views", sum, 6);
    rt_torch_torchtensor_free(turned);
    rt_torch_torchtensor_free(sum);
  }

  /// A thread ends with work that no one has forced.
  void leave_a_thread() {
    const uint64_t seed = random_();
    std::thread([this, seed] {
      Player other(shared_, seed);
      other.send();
      other.send();
      other.chain(false);  // its handle stays; the end of the test counts these
      ++shared_.ended;
    }).join();
  }

  void fork_off() {
#if defined(__SANITIZE_ADDRESS__)
    return;  // the sanitizer's allocator may be locked in the child: g++ 12 does not guard it
#endif
    const pid_t child = fork();
    if (child == 0) {
      alarm(60);
      Shared own;
      own.folder = shared_.folder;
      Player other(own, random_());
      for (int i = 0; i < 5; ++i) {
        other.chain(true);
        other.train();
        other.views();
      }
      _exit(own.wrong == 0 ? 0 : 1);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
      wrong("fork", "the child ended with status " + std::to_string(status));
    ++shared_.forks;
  }

  void save_and_load() {
    const std::string path = shared_.folder + "/" + std::to_string(id_) + ".pt";
    const Parcel parcel = chain(false);
    rt_torch_tensor_save(parcel.handle, path.c_str());
    const int64_t loaded = rt_torch_tensor_load(path.c_str());
    expect("file", loaded, parcel.expected);
    rt_torch_torchtensor_free(loaded);
    rt_torch_torchtensor_free(parcel.handle);
  }

  void look_around() {
    const Parcel parcel = chain(false);
    rt_torch_set_label(parcel.handle, "looked at");
    rt_torch_set_location("stress.cpp", static_cast<int64_t>(below(1000)));
    static constexpr const char* kFormats[] = {"text", "json", "dot", "html"};
    rt_torch_graph_dump("/dev/null", kFormats[below(4)]);
    static constexpr const char* kPolicies[] = {"observe", "data", "eager"};
    rt_torch_set_policy(kPolicies[below(3)]);
    rt_torch_stats_json();
    rt_torch_flush();
    expect("looked at", parcel.handle, parcel.expected);
    rt_torch_torchtensor_free(parcel.handle);
  }

  void too_much_memory() {
    const int64_t sizes[] = {int64_t{1} << 40, 16};
    if (rt_torch_tensor_ones(sizes, 2) != 0) wrong("memory", "64 TiB were given");
    rt_torch_clear_error();
  }

  Shared& shared_;
  std::mt19937_64 random_;
  uint64_t id_;
};

int run(int seconds, int threads, uint64_t seed) {
  Shared shared;
  shared.end = Clock::now() + std::chrono::seconds(seconds);
  shared.folder =
      std::filesystem::temp_directory_path() / ("rt_stress." + std::to_string(getpid()));
  std::filesystem::create_directories(shared.folder);
  std::vector<std::thread> players;
  for (int i = 0; i < threads; ++i)
    players.emplace_back([&, i] { Player(shared, seed * 1000 + static_cast<uint64_t>(i)).play(); });
  for (std::thread& player : players) player.join();
  for (const Parcel& parcel : shared.parcels) rt_torch_torchtensor_free(parcel.handle);
  while (rt_torch_sync() == 0) {  // unreported failures
  }
  const int64_t left = rt_torch_live_handles();
  if (left != shared.ended) {
    std::cerr << left << " handles are left, " << shared.ended << " were not freed\n";
    ++shared.wrong;
  }
  const auto stat = [](const char* name) { return rt_torch_stat(name); };
  if (stat("nodes") != stat("batch_nodes") + stat("dead_nodes") + stat("pending_nodes")) {
    std::cerr << rt_torch_stats_json() << ": nodes were lost\n";
    ++shared.wrong;
  }
  std::filesystem::remove_all(shared.folder);
  std::cout << seconds << " s, " << threads << " threads: " << shared.scenes << " scenes, "
            << shared.checked << " numbers checked, " << shared.failures << " failures, "
            << shared.forks << " forks, " << shared.ended << " threads ended with work left, "
            << shared.wrong << " wrong\n";
  return shared.wrong == 0 ? 0 : 1;
}

}  // namespace
}  // namespace rt_test

int main(int argc, char** argv) {
  CLI::App app("Plays scenes on several threads for some time and checks every number.");
  int seconds = 10, threads = 4;
  uint64_t seed = 1;
  app.add_option("--seconds", seconds)->check(CLI::PositiveNumber);
  app.add_option("--threads", threads)->check(CLI::Range(1, 64));
  app.add_option("--seed", seed, "of what the threads play");
  CLI11_PARSE(app, argc, argv);
  return rt_test::run(seconds, threads, seed);
}
