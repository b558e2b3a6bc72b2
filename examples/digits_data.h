/* digits_data.h -- reads data/digits.csv, draws minibatches and measures the accuracy. */
#ifndef DIGITS_DATA_H
#define DIGITS_DATA_H

#include "example.h"

enum {
  kSamples = 1797,
  kSide = 8,
  kPixels = kSide * kSide,
  kDigits = 10,
  kHoldOut = 5, /* every fifth sample is held out for the test */
  kTest = kSamples / kHoldOut,
  kTrain = kSamples - kTest
};

typedef struct {
  int64_t images; /* f32[n,64], pixels from 0 to 1 */
  int64_t labels; /* i64[n] */
} Digits;

static inline void read_digits(const char* path, double (*images)[kPixels], int64_t* labels) {
  FILE* file = fopen(path, "r");
  int row, column;
  if (file == NULL) {
    fprintf(stderr, "cannot open %s\n", path);
    exit(1);
  }
  for (row = 0; row < kSamples; ++row) {
    /* The held-out samples come last. */
    int to = row % kHoldOut == kHoldOut - 1 ? kTrain + row / kHoldOut : row - row / kHoldOut;
    for (column = 0; column <= kPixels; ++column) {
      int value;
      if (fscanf(file, column < kPixels ? "%d," : "%d", &value) != 1) {
        fprintf(stderr, "%s: line %d: 64 pixels and a digit are missing\n", path, row + 1);
        exit(1);
      }
      if (column < kPixels) {
        images[to][column] = value / 16.0;
      } else {
        labels[to] = value;
      }
    }
  }
  fclose(file);
}

static inline Digits make_digits(Scope* scope, const double* images, const int64_t* labels,
                                 int64_t count) {
  const int64_t sizes[2] = {count, kPixels};
  Digits digits;
  digits.images =
      LOCAL(scope, rt_torch_tensor(images, count * kPixels, sizes, 2, kFloat32, 0 /* the CPU */));
  digits.labels = LOCAL(scope, rt_torch_tensor_from_i64_data(labels, count, &count, 1));
  return digits;
}

static inline void load_digits(Scope* scope, const char* path, Digits* train, Digits* test) {
  static double images[kSamples][kPixels];
  static int64_t labels[kSamples];
  read_digits(path, images, labels);
  *train = make_digits(scope, images[0], labels, kTrain);
  *test = make_digits(scope, images[kTrain], labels + kTrain, kTest);
}

/* Shuffles the order of the training samples. */
static inline void shuffle(int64_t* order) {
  int64_t i;
  for (i = kTrain - 1; i > 0; --i) {
    int64_t with = random_below(i + 1), held = order[i];
    order[i] = order[with];
    order[with] = held;
  }
}

/* The samples whose indices are in `picks`. */
static inline Digits minibatch(Scope* scope, const Digits* from, const int64_t* picks,
                               int64_t count) {
  int64_t rows = LOCAL(scope, rt_torch_tensor_from_i64_data(picks, count, &count, 1));
  Digits batch;
  batch.images = LOCAL(scope, rt_torch_torchtensor_index_select(from->images, 0, rows));
  batch.labels = LOCAL(scope, rt_torch_torchtensor_index_select(from->labels, 0, rows));
  return batch;
}

/* The part of the held-out digits whose label has the largest logit. */
static inline double accuracy(const Digits* test, int64_t logits) {
  static int64_t guessed[kTest], wanted[kTest];
  Scope scope = {0};
  int64_t best = LOCAL(&scope, rt_torch_torchtensor_argmax(logits, 1, 0));
  int row, right = 0;
  if (rt_torch_copy_data(best, guessed, kTest, kInt64) != kTest) fail("rt_torch_copy_data");
  if (rt_torch_copy_data(test->labels, wanted, kTest, kInt64) != kTest) fail("rt_torch_copy_data");
  for (row = 0; row < kTest; ++row) right += guessed[row] == wanted[row];
  leave(&scope, "accuracy");
  return (double)right / kTest;
}

#endif
