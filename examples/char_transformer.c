/* char_transformer.c -- a causal transformer of one block that learns to predict the characters of
   a text, by default Shakespeare's As You Like It.

   char_transformer [--steps N] [--seed S] [--text FILE] */
#include <math.h>
#include <time.h>

#include "example.h"

enum {
  kContext = 64, /* characters in the model's window */
  kBatch = 16,
  kWidth = 64,
  kHeads = 4,
  kHeadWidth = kWidth / kHeads,
  kMlpWidth = 4 * kWidth,
  kValidation = 8, /* minibatches of the held-out text for the validation loss */
  kWarmUp = 50,    /* steps until the learning rate is at its maximum */
  kMostText = 1 << 20,
  kSample = 600 /* characters to write at the end */
};
/* Indices of the parameters; a layer's bias follows its weight. */
enum {
  kEmbedding,
  kPositions,
  kNorm1,
  kQkv = kNorm1 + 2,
  kProjection = kQkv + 2,
  kNorm2 = kProjection + 2,
  kMlpIn = kNorm2 + 2,
  kMlpOut = kMlpIn + 2,
  kNorm3 = kMlpOut + 2,
  kHead = kNorm3 + 2,
  kParameters = kHead + 2
};

static const double kRate = 3e-3, kLastRate = 3e-4;
static const double kHeldOut = 0.1;     /* fraction of the text, at its end */
static const double kTemperature = 0.8; /* of the sample: below 1 the likely becomes likelier */

/* ---- the text, as codes of its characters */

typedef struct {
  char characters[256]; /* those that occur in the text */
  int64_t vocabulary;   /* how many */
  int64_t length, train_length;
  int64_t* codes;
  double entropy; /* of single characters: the loss of a model that knows only their frequencies */
} Text;

static Text read_text(const char* path) {
  static unsigned char bytes[kMostText];
  static int64_t codes[kMostText];
  int64_t counts[256] = {0}, code_of[256] = {0}, i;
  FILE* file = fopen(path, "rb");
  Text text = {{0}, 0, 0, 0, codes, 0};
  if (file == NULL) {
    fprintf(stderr, "cannot open %s\n", path);
    exit(1);
  }
  text.length = (int64_t)fread(bytes, 1, kMostText, file);
  fclose(file);
  text.train_length = (int64_t)((1 - kHeldOut) * (double)text.length);
  if (text.length - text.train_length <= kContext) {
    fprintf(stderr, "%s is too short\n", path);
    exit(1);
  }
  for (i = 0; i < text.length; ++i) ++counts[bytes[i]];
  for (i = 0; i < 256; ++i) {
    double part = (double)counts[i] / (double)text.length;
    if (counts[i] == 0) continue;
    text.entropy -= part * log(part);
    code_of[i] = text.vocabulary;
    text.characters[text.vocabulary++] = (char)i;
  }
  for (i = 0; i < text.length; ++i) codes[i] = code_of[bytes[i]];
  return text;
}

/* ---- the model */

static void make_linear(Scope* scope, int64_t* layer, int64_t inputs, int64_t outputs) {
  const int64_t sizes[2] = {outputs, inputs};
  layer[0] = parameter(scope, sizes, 2, 0, sqrt(1.0 / (double)inputs));
  layer[1] = parameter(scope, sizes, 1, 0, 0);
}

static void make_norm(Scope* scope, int64_t* layer) {
  const int64_t width = kWidth;
  layer[0] = parameter(scope, &width, 1, 1, 0);
  layer[1] = parameter(scope, &width, 1, 0, 0);
}

static void make_model(Scope* scope, int64_t* model, int64_t vocabulary) {
  const int64_t embedding[2] = {vocabulary, kWidth}, positions[2] = {kContext, kWidth};
  model[kEmbedding] = parameter(scope, embedding, 2, 0, 0.1);
  model[kPositions] = parameter(scope, positions, 2, 0, 0.1);
  make_norm(scope, model + kNorm1);
  make_linear(scope, model + kQkv, kWidth, 3 * kWidth);
  make_linear(scope, model + kProjection, kWidth, kWidth);
  make_norm(scope, model + kNorm2);
  make_linear(scope, model + kMlpIn, kWidth, kMlpWidth);
  make_linear(scope, model + kMlpOut, kMlpWidth, kWidth);
  make_norm(scope, model + kNorm3);
  make_linear(scope, model + kHead, kWidth, vocabulary);
}

/* Added to attention's scores, so that no position sees a later one: f32[context,context]. */
static int64_t causal_mask(Scope* scope) {
  static double mask[kContext][kContext];
  const int64_t sizes[2] = {kContext, kContext};
  int from, to;
  for (from = 0; from < kContext; ++from)
    for (to = from + 1; to < kContext; ++to) mask[from][to] = -1e9;
  return LOCAL(scope, rt_torch_tensor(mask[0], kContext * kContext, sizes, 2, kFloat32, 0));
}

static int64_t linear(Scope* scope, const int64_t* layer, int64_t input) {
  return LOCAL(scope, rt_torch_nn_linear(input, layer[0], layer[1]));
}

static int64_t norm(Scope* scope, const int64_t* layer, int64_t input) {
  const int64_t width = kWidth;
  return LOCAL(scope, rt_torch_nn_layer_norm(input, &width, 1, layer[0], layer[1], 1e-5));
}

/* Reshapes [rows,context,width] to [rows,heads,context,head width]. */
static int64_t split_heads(Scope* scope, int64_t input) {
  const int64_t sizes[4] = {-1, kContext, kHeads, kHeadWidth}, order[4] = {0, 2, 1, 3};
  int64_t split = LOCAL(scope, rt_torch_torchtensor_reshape(input, sizes, 4));
  return LOCAL(scope, rt_torch_torchtensor_permute(split, order, 4));
}

static int64_t join_heads(Scope* scope, int64_t input) {
  const int64_t sizes[3] = {-1, kContext, kWidth}, order[4] = {0, 2, 1, 3};
  int64_t turned = LOCAL(scope, rt_torch_torchtensor_permute(input, order, 4));
  return LOCAL(scope, rt_torch_torchtensor_reshape(turned, sizes, 3));
}

static int64_t attention(Scope* scope, const int64_t* model, int64_t input, int64_t mask) {
  int64_t qkv = linear(scope, model + kQkv, input), parts[3];
  int64_t query, key, value, turned, scores, weights;
  int i;
  if (rt_torch_torchtensor_chunk(qkv, 3, 2, parts, 3) != 3) fail("rt_torch_torchtensor_chunk");
  for (i = 0; i < 3; ++i) LOCAL(scope, parts[i]);
  query = split_heads(scope, parts[0]);
  key = split_heads(scope, parts[1]);
  value = split_heads(scope, parts[2]);
  turned = LOCAL(scope, rt_torch_torchtensor_transpose(key, 2, 3));
  scores = LOCAL(scope, rt_torch_torchtensor_matmul(query, turned));
  scores = LOCAL(scope, rt_torch_torchtensor_mul_scalar(scores, 1 / sqrt(kHeadWidth)));
  scores = LOCAL(scope, rt_torch_torchtensor_add(scores, mask));
  weights = LOCAL(scope, rt_torch_torchtensor_softmax(scores, 3));
  value = LOCAL(scope, rt_torch_torchtensor_matmul(weights, value));
  return linear(scope, model + kProjection, join_heads(scope, value));
}

static int64_t mlp(Scope* scope, const int64_t* model, int64_t input) {
  int64_t inner = linear(scope, model + kMlpIn, input);
  inner = LOCAL(scope, rt_torch_torchtensor_gelu(inner));
  return linear(scope, model + kMlpOut, inner);
}

/* From i64[rows,context] to logits f32[rows * context,vocabulary], which at each position predict
   the next character. */
static int64_t forward(Scope* scope, const int64_t* model, int64_t characters, int64_t mask) {
  const int64_t sizes[2] = {-1, kWidth};
  int64_t x = LOCAL(scope, rt_torch_nn_embedding(characters, model[kEmbedding])), change;
  x = LOCAL(scope, rt_torch_torchtensor_add(x, model[kPositions]));
  change = attention(scope, model, norm(scope, model + kNorm1, x), mask);
  x = LOCAL(scope, rt_torch_torchtensor_add(x, change));
  change = mlp(scope, model, norm(scope, model + kNorm2, x));
  x = LOCAL(scope, rt_torch_torchtensor_add(x, change));
  x = LOCAL(scope, rt_torch_torchtensor_reshape(norm(scope, model + kNorm3, x), sizes, 2));
  return linear(scope, model + kHead, x);
}

/* The loss of predicting the next characters in random pieces of the text from `begin` to `end`. */
static int64_t loss_on(const int64_t* model, int64_t mask, const Text* text, int64_t begin,
                       int64_t end) {
  static int64_t inputs[kBatch][kContext], targets[kBatch][kContext];
  const int64_t sizes[2] = {kBatch, kContext}, count = kBatch * kContext;
  Scope scope = {0};
  int64_t characters, wanted, loss;
  int row;
  for (row = 0; row < kBatch; ++row) {
    const int64_t* piece = text->codes + begin + random_below(end - begin - kContext);
    memcpy(inputs[row], piece, sizeof inputs[row]);
    memcpy(targets[row], piece + 1, sizeof targets[row]);
  }
  characters = LOCAL(&scope, rt_torch_tensor_from_i64_data(inputs[0], count, sizes, 2));
  wanted = LOCAL(&scope, rt_torch_tensor_from_i64_data(targets[0], count, &count, 1));
  loss =
      CHECKED(rt_torch_nn_cross_entropy_tensor(forward(&scope, model, characters, mask), wanted));
  leave(&scope, "loss_on");
  return loss;
}

/* ---- the run */

/* Linear warm-up, then a cosine decay. */
static double rate_at(int64_t step, int64_t steps) {
  double part = (double)step / (double)steps;
  if (step < kWarmUp) return kRate * (double)(step + 1) / kWarmUp;
  return kLastRate + (kRate - kLastRate) * 0.5 * (1 + cos(3.14159265358979 * part));
}

static void train(const int64_t* model, int64_t mask, const Text* text, int64_t steps) {
  const int64_t report = steps < 20 ? 1 : steps / 20;
  const time_t start = time(NULL);
  int64_t step,
      optimizer = CHECKED(rt_torch_adamw_new(model, kParameters, kRate, 0.9, 0.99, 1e-8, 0.01));
  double loss_sum = 0;
  begin_training();
  for (step = 1; step <= steps; ++step) {
    int64_t loss = loss_on(model, mask, text, 0, text->train_length);
    rt_torch_optimizer_zero_grad(optimizer);
    rt_torch_autograd_backward(loss);
    rt_torch_optimizer_set_lr(optimizer, rate_at(step - 1, steps));
    rt_torch_optimizer_step(optimizer);
    loss_sum += number(loss); /* reading the loss runs the step */
    rt_torch_torchtensor_free(loss);
    if (step % report != 0) continue;
    printf("step %5lld of %lld: loss %.3f, %lld s\n", (long long)step, (long long)steps,
           loss_sum / (double)report, (long long)(time(NULL) - start));
    fflush(stdout);
    loss_sum = 0;
  }
  end_training(steps);
  rt_torch_optimizer_free(optimizer);
}

static double validate(const int64_t* model, int64_t mask, const Text* text) {
  double sum = 0;
  int i;
  for (i = 0; i < kValidation; ++i) {
    int64_t loss = loss_on(model, mask, text, text->train_length, text->length);
    sum += number(loss);
    rt_torch_torchtensor_free(loss);
  }
  return sum / kValidation;
}

/* Draws the character at position `count` of the window from those before it. The mask hides the
   rest of the window. */
static int64_t draw(const int64_t* model, int64_t mask, const Text* text, const int64_t* window,
                    int64_t count) {
  static float odds[256];
  const int64_t sizes[2] = {1, kContext};
  Scope scope = {0};
  int64_t characters = LOCAL(&scope, rt_torch_tensor_from_i64_data(window, kContext, sizes, 2));
  int64_t logits = forward(&scope, model, characters, mask);
  int64_t row = LOCAL(&scope, rt_torch_torchtensor_slice(logits, 0, count - 1, count, 1));
  int64_t cooled = LOCAL(&scope, rt_torch_torchtensor_mul_scalar(row, 1 / kTemperature));
  int64_t softmax = LOCAL(&scope, rt_torch_torchtensor_softmax(cooled, 1));
  int64_t drawn = 0, size = text->vocabulary;
  double left = random_unit();
  if (rt_torch_copy_data(softmax, odds, size, kFloat32) != size) fail("rt_torch_copy_data");
  leave(&scope, "draw");
  while (drawn < size - 1 && (left -= odds[drawn]) > 0) ++drawn;
  return drawn;
}

static void write_sample(const int64_t* model, int64_t mask, const Text* text) {
  int64_t window[kContext] = {0}, count = 1, drawn;
  int i;
  window[0] = text->codes[text->train_length]; /* the first character of the held-out text */
  for (i = 0; i < kSample; ++i) {
    if (count == kContext) memmove(window, window + 1, (size_t)(--count) * sizeof *window);
    drawn = draw(model, mask, text, window, count);
    window[count++] = drawn;
    putchar(text->characters[drawn]);
  }
  putchar('\n');
}

int main(int argc, char** argv) {
  const char* path = EXAMPLES_DATA "/as_you_like_it.txt";
  int64_t steps = 4000, seed = 1, mask, model[kParameters];
  Scope scope = {0};
  Text text;
  double loss;
  int i;
  for (i = 1; i + 1 < argc; i += 2) {
    if (strcmp(argv[i], "--steps") == 0) steps = atoi(argv[i + 1]);
    else if (strcmp(argv[i], "--seed") == 0) seed = atoi(argv[i + 1]);
    else if (strcmp(argv[i], "--text") == 0) path = argv[i + 1];
    else break;
  }
  if (i < argc || steps < 1) {
    fprintf(stderr, "usage: char_transformer [--steps N] [--seed S] [--text FILE]\n");
    return 2;
  }
  random_state = (uint64_t)seed;
  rt_torch_manual_seed(seed);
  text = read_text(path);
  make_model(&scope, model, text.vocabulary);
  mask = causal_mask(&scope);
  printf("char_transformer: %lld characters, %lld different ones, backend %s\n",
         (long long)text.length, (long long)text.vocabulary, rt_torch_backend());
  train(model, mask, &text, steps);

  rt_torch_autograd_no_grad_begin();
  loss = validate(model, mask, &text);
  printf("loss on the held-out text: %.3f; entropy of single characters: %.3f\n\n", loss,
         text.entropy);
  write_sample(model, mask, &text);
  rt_torch_autograd_no_grad_end();
  leave(&scope, "main");
  check_all_freed();
  if (!(loss < text.entropy)) {
    fprintf(stderr, "char_transformer: has learnt no more than how often each character occurs\n");
    return 1;
  }
  return 0;
}
