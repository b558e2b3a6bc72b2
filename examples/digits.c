/* digits.c -- trains a classifier of hand-written digits through the C ABI, each step one batch. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rt_torch.h"

#ifndef DIGITS_CSV
#define DIGITS_CSV "examples/data/digits.csv"
#endif

enum {
  kSamples = 1797,
  kPixels = 64,
  kHidden = 64,
  kClasses = 10,
  kHoldOut = 5, /* every fifth sample is kept for the test */
  kTest = kSamples / kHoldOut,
  kTrain = kSamples - kTest,
  kBatch = 32,
  kSteps = kTrain / kBatch, /* an epoch leaves out the rest: another one each time */
  kEpochs = 25,
  kInt64 = 3
};

static const double kFirstRate = 0.5;
static const double kRateDecay = 0.999;
static const double kWantedAccuracy = 0.95;

/* ---- failure: whatever goes wrong ends the program with the call and the library's own words */

static void fail(const char* call) {
  fprintf(stderr, "digits: %s failed: %s\n", call, rt_torch_last_error());
  exit(1);
}

static int64_t checked(int64_t result, const char* call) {
  if (result <= 0) fail(call);
  return result;
}
#define CHECKED(call) checked((call), #call)

/* Calls without a result say it only here. */
static void check_quiet(const char* where) {
  if (rt_torch_last_error()[0] != '\0') fail(where);
}

/* ---- a scope: frees what was made in it at its end, as a compiled program does with its locals */

typedef struct {
  int64_t handles[64];
  int count;
} Scope;

static int64_t local(Scope* scope, int64_t handle, const char* call) {
  checked(handle, call);
  if (scope->count == (int)(sizeof scope->handles / sizeof scope->handles[0])) {
    fprintf(stderr, "digits: a scope has too many locals\n");
    exit(1);
  }
  scope->handles[scope->count++] = handle;
  return handle;
}
#define LOCAL(call) local(&scope, (call), #call)

static void leave(Scope* scope, const char* where) {
  while (scope->count > 0) rt_torch_torchtensor_free(scope->handles[--scope->count]);
  check_quiet(where);
}

/* Puts a new value in the place of the one before. */
static void assign(int64_t* variable, int64_t handle, const char* call) {
  checked(handle, call);
  rt_torch_torchtensor_free(*variable);
  *variable = handle;
}
#define ASSIGN(variable, call) assign(&(variable), (call), #call)

/* ---- the data */

typedef struct {
  int64_t images; /* f32[n, 64], pixels from 0 to 1 */
  int64_t labels; /* i64[n] */
} Set;

static void read_samples(const char* path, double (*images)[kPixels], int64_t* labels) {
  FILE* file = fopen(path, "r");
  int row, column;
  if (file == NULL) {
    fprintf(stderr, "digits: cannot open %s\n", path);
    exit(1);
  }
  for (row = 0; row < kSamples; ++row) {
    for (column = 0; column <= kPixels; ++column) {
      int number;
      if (fscanf(file, column < kPixels ? "%d," : "%d", &number) != 1) {
        fprintf(stderr, "digits: %s: line %d: 64 pixels and a digit are missing\n", path, row + 1);
        exit(1);
      }
      if (column < kPixels) {
        images[row][column] = number;
      } else {
        labels[row] = number;
      }
    }
  }
  fclose(file);
}

static Set make_set(const double* images, const int64_t* labels, int64_t count) {
  Scope scope = {{0}, 0};
  const int64_t sizes[2] = {count, kPixels};
  Set set;
  int64_t raw = LOCAL(rt_torch_tensor_from_data(images, count * kPixels, sizes, 2));
  int64_t floats = LOCAL(rt_torch_torchtensor_to_float32(raw));
  set.images = CHECKED(rt_torch_torchtensor_mul_scalar(floats, 1.0 / 16));
  set.labels = CHECKED(rt_torch_tensor_from_i64_data(labels, count, &count, 1));
  leave(&scope, "make_set");
  return set;
}

static void load(const char* path, Set* train, Set* test) {
  static double images[kSamples][kPixels], kept[kSamples][kPixels];
  static int64_t labels[kSamples], kept_labels[kSamples];
  int row, in_train = 0, in_test = 0;
  read_samples(path, images, labels);
  for (row = 0; row < kSamples; ++row) {
    int to = row % kHoldOut == kHoldOut - 1 ? kTrain + in_test++ : in_train++;
    memcpy(kept[to], images[row], sizeof kept[to]);
    kept_labels[to] = labels[row];
  }
  *train = make_set(kept[0], kept_labels, kTrain);
  *test = make_set(kept[kTrain], kept_labels + kTrain, kTest);
}

/* ---- the model */

typedef struct {
  int64_t w1, b1; /* f32[64, 64], f32[64] */
  int64_t w2, b2; /* f32[10, 64], f32[10] */
} Model;

static int64_t random_weights(int64_t rows, int64_t columns, double scale) {
  Scope scope = {{0}, 0};
  const int64_t sizes[2] = {rows, columns};
  int64_t normal = LOCAL(rt_torch_tensor_randn(sizes, 2));
  int64_t weights = CHECKED(rt_torch_torchtensor_mul_scalar(normal, scale));
  leave(&scope, "random_weights");
  return weights;
}

static Model new_model(void) {
  const int64_t hidden = kHidden, classes = kClasses;
  Model model;
  model.w1 = random_weights(kHidden, kPixels, 0.177); /* sqrt(2 / 64) */
  model.b1 = CHECKED(rt_torch_tensor_zeros(&hidden, 1));
  model.w2 = random_weights(kClasses, kHidden, 0.125); /* sqrt(1 / 64) */
  model.b2 = CHECKED(rt_torch_tensor_zeros(&classes, 1));
  return model;
}

static void descend(int64_t* parameter, int64_t gradient, double rate) {
  Scope scope = {{0}, 0};
  int64_t change = LOCAL(rt_torch_torchtensor_mul_scalar(gradient, -rate));
  ASSIGN(*parameter, rt_torch_torchtensor_add(*parameter, change));
  leave(&scope, "descend");
}

/* One step of gradient descent on the samples from `start`. Records only; the caller flushes.
   Adds the loss to *loss_sum, f32[1]. */
static void train_step(Model* model, int64_t images, int64_t targets, int64_t start, double rate,
                       int64_t* loss_sum) {
  Scope scope = {{0}, 0};
  int64_t x = LOCAL(rt_torch_torchtensor_slice(images, 0, start, start + kBatch, 1));
  int64_t target = LOCAL(rt_torch_torchtensor_slice(targets, 0, start, start + kBatch, 1));

  int64_t before = LOCAL(rt_torch_nn_linear(x, model->w1, model->b1));
  int64_t hidden = LOCAL(rt_torch_torchtensor_relu(before));
  int64_t logits = LOCAL(rt_torch_nn_linear(hidden, model->w2, model->b2));

  /* cross entropy = -mean over samples of sum over classes of target * log_softmax(logits) */
  int64_t log_probs = LOCAL(rt_torch_torchtensor_log_softmax(logits, 1));
  int64_t picked = LOCAL(rt_torch_torchtensor_mul(target, log_probs));
  int64_t per_sample = LOCAL(rt_torch_torchtensor_sum_dim(picked, 1, 0));
  int64_t minus_loss = LOCAL(rt_torch_torchtensor_mean_dim(per_sample, 0, 1));
  ASSIGN(*loss_sum, rt_torch_torchtensor_sub(*loss_sum, minus_loss));

  /* its gradient: (softmax(logits) - target) / batch, and from there backwards */
  {
    int64_t probs = LOCAL(rt_torch_torchtensor_softmax(logits, 1));
    int64_t error = LOCAL(rt_torch_torchtensor_sub(probs, target));
    int64_t d_logits = LOCAL(rt_torch_torchtensor_mul_scalar(error, 1.0 / kBatch));
    int64_t d_logits_t = LOCAL(rt_torch_torchtensor_t(d_logits));
    int64_t d_w2 = LOCAL(rt_torch_torchtensor_matmul(d_logits_t, hidden));
    int64_t d_b2 = LOCAL(rt_torch_torchtensor_sum_dim(d_logits, 0, 0));
    int64_t d_hidden = LOCAL(rt_torch_torchtensor_matmul(d_logits, model->w2));

    /* relu's slope from its result: 0 / (0 + tiny) is 0; beside any other value tiny vanishes in
       the rounding, and h / h is 1 */
    int64_t shifted = LOCAL(rt_torch_torchtensor_add_scalar(hidden, 1e-37));
    int64_t slope = LOCAL(rt_torch_torchtensor_div(hidden, shifted));
    int64_t d_before = LOCAL(rt_torch_torchtensor_mul(d_hidden, slope));
    int64_t d_before_t = LOCAL(rt_torch_torchtensor_t(d_before));
    int64_t d_w1 = LOCAL(rt_torch_torchtensor_matmul(d_before_t, x));
    int64_t d_b1 = LOCAL(rt_torch_torchtensor_sum_dim(d_before, 0, 0));

    descend(&model->w1, d_w1, rate);
    descend(&model->b1, d_b1, rate);
    descend(&model->w2, d_w2, rate);
    descend(&model->b2, d_b2, rate);
  }
  /* Work still pending uses every value freed here, so none of these calls makes it run. */
  leave(&scope, "train_step");
}

static double accuracy(const Model* model, const Set* test, const int64_t* wanted) {
  static int64_t guessed[kTest];
  Scope scope = {{0}, 0};
  int64_t before = LOCAL(rt_torch_nn_linear(test->images, model->w1, model->b1));
  int64_t hidden = LOCAL(rt_torch_torchtensor_relu(before));
  int64_t logits = LOCAL(rt_torch_nn_linear(hidden, model->w2, model->b2));
  int64_t best = LOCAL(rt_torch_torchtensor_argmax(logits, 1, 0));
  int row, right = 0;
  if (rt_torch_copy_data(best, guessed, kTest, kInt64) != kTest) fail("rt_torch_copy_data");
  leave(&scope, "accuracy");
  for (row = 0; row < kTest; ++row) right += guessed[row] == wanted[row];
  return (double)right / kTest;
}

/* ---- the run */

static int64_t counter(const char* name) {
  int64_t value = rt_torch_stat(name);
  if (value < 0) fail("rt_torch_stat");
  return value;
}

static void flush(void) {
  if (rt_torch_flush() < 0) fail("rt_torch_flush");
}

/* A new order of the samples. Its numbers are drawn here and not by the library, so that a seed of
   the model's weights stays that alone. */
static void shuffle(int64_t* order) {
  static uint32_t state = 1;
  int i;
  for (i = kTrain - 1; i > 0; --i) {
    int64_t held = order[i];
    int with;
    state = state * 1664525u + 1013904223u;
    with = (int)(((uint64_t)state * (uint64_t)(i + 1)) >> 32);
    order[i] = order[with];
    order[with] = held;
  }
}

static char* copy_text(const char* text) {
  char* copy = malloc(strlen(text) + 1);
  if (copy == NULL) {
    fprintf(stderr, "digits: out of memory\n");
    exit(1);
  }
  return strcpy(copy, text);
}

int main(int argc, char** argv) {
  static int64_t wanted[kTest], order[kTrain];
  const int64_t train_count = kTrain, one = 1;
  Scope scope = {{0}, 0};
  Set train, test;
  Model model;
  int64_t identity, targets;
  double rate = kFirstRate, reached;
  char* dump = NULL;
  int i, epoch, step, one_batch_steps = 0, hit_steps = 0;

  rt_torch_manual_seed(1);
  check_quiet("rt_torch_manual_seed");
  load(argc > 1 ? argv[1] : DIGITS_CSV, &train, &test);
  model = new_model();
  identity = LOCAL(rt_torch_tensor_eye(kClasses));
  targets = CHECKED(rt_torch_torchtensor_index_select(identity, 0, train.labels));
  leave(&scope, "main");
  flush();
  if (rt_torch_copy_data(test.labels, wanted, kTest, kInt64) != kTest) fail("rt_torch_copy_data");
  for (i = 0; i < kTrain; ++i) order[i] = i;

  printf("digits: %d to learn from, %d held out; %d-%d-%d, executor %s, policy %s\n", kTrain, kTest,
         kPixels, kHidden, kClasses, rt_torch_backend(), rt_torch_policy());
  rt_torch_stats_reset();
  check_quiet("rt_torch_stats_reset");

  for (epoch = 1; epoch <= kEpochs; ++epoch) {
    int64_t picks, x, y, loss_sum;
    double loss;
    shuffle(order);
    picks = LOCAL(rt_torch_tensor_from_i64_data(order, kTrain, &train_count, 1));
    x = LOCAL(rt_torch_torchtensor_index_select(train.images, 0, picks));
    y = LOCAL(rt_torch_torchtensor_index_select(targets, 0, picks));
    loss_sum = CHECKED(rt_torch_tensor_zeros(&one, 1));
    /* Work of its own, so that the epoch's first step is a batch like the others. */
    flush();

    for (step = 0; step < kSteps; ++step) {
      int64_t batches = counter("batches"), hits = counter("cache_hits");
      train_step(&model, x, y, (int64_t)step * kBatch, rate, &loss_sum);
      rate *= kRateDecay;
      if (dump == NULL) {
        dump = copy_text(rt_torch_graph_text());
        check_quiet("rt_torch_graph_text");
      }
      flush();
      one_batch_steps += counter("batches") - batches == 1;
      hit_steps += counter("cache_hits") - hits == 1;
    }
    loss = rt_torch_torchtensor_item(loss_sum) / kSteps;
    check_quiet("rt_torch_torchtensor_item");
    rt_torch_torchtensor_free(loss_sum);
    leave(&scope, "main");
    printf("epoch %2d of %d: loss %.4f, learning rate %.4f\n", epoch, kEpochs, loss, rate);
    fflush(stdout);
  }

  reached = accuracy(&model, &test, wanted);
  printf("held-out accuracy: %.2f %%\n\n", 100 * reached);
  printf("one training step, as recorded (rt_torch_graph_text):\n%s\n", dump);
  printf("calls %lld, nodes %lld, batches %lld, cache hits %lld\n", (long long)counter("calls"),
         (long long)counter("nodes"), (long long)counter("batches"),
         (long long)counter("cache_hits"));
  printf("steps %d: one batch each in %d, from the cache in %d\n", kEpochs * kSteps,
         one_batch_steps, hit_steps);

  free(dump);
  rt_torch_torchtensor_free(model.w1);
  rt_torch_torchtensor_free(model.b1);
  rt_torch_torchtensor_free(model.w2);
  rt_torch_torchtensor_free(model.b2);
  rt_torch_torchtensor_free(train.images);
  rt_torch_torchtensor_free(train.labels);
  rt_torch_torchtensor_free(test.images);
  rt_torch_torchtensor_free(test.labels);
  rt_torch_torchtensor_free(targets);
  check_quiet("rt_torch_torchtensor_free");
  if (rt_torch_live_handles() != 0) {
    fprintf(stderr, "digits: %lld handles were not freed\n", (long long)rt_torch_live_handles());
    return 1;
  }
  if (reached < kWantedAccuracy) {
    fprintf(stderr, "digits: the accuracy is below %.0f %%\n", 100 * kWantedAccuracy);
    return 1;
  }
  /* Policy eager runs every call at once: there the counts are others. */
  if (strcmp(rt_torch_policy(), "eager") != 0 &&
      (one_batch_steps < kEpochs * kSteps || hit_steps < kEpochs * kSteps - 3)) {
    fprintf(stderr, "digits: a step was not one batch, or from the fourth not from the cache\n");
    return 1;
  }
  return 0;
}
