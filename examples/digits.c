/* digits.c -- trains a classifier of hand-written digits in C99; each step is one batch. */
#include "digits_data.h"

enum { kHidden = 64, kBatch = 32, kSteps = kTrain / kBatch, kEpochs = 25 };
enum { kWeight1, kBias1, kWeight2, kBias2, kParameters };

static const double kFirstRate = 0.5;
static const double kRateDecay = 0.999;
static const double kWantedAccuracy = 0.95;

static void make_model(Scope* scope, int64_t* model) {
  const int64_t first[2] = {kHidden, kPixels}, second[2] = {kDigits, kHidden};
  model[kWeight1] = parameter(scope, first, 2, 0, 0.177); /* sqrt(2 / 64) */
  model[kBias1] = parameter(scope, first, 1, 0, 0);
  model[kWeight2] = parameter(scope, second, 2, 0, 0.125); /* sqrt(1 / 64) */
  model[kBias2] = parameter(scope, second, 1, 0, 0);
}

static int64_t forward(Scope* scope, const int64_t* model, int64_t images) {
  int64_t before = LOCAL(scope, rt_torch_nn_linear(images, model[kWeight1], model[kBias1]));
  int64_t hidden = LOCAL(scope, rt_torch_torchtensor_relu(before));
  return LOCAL(scope, rt_torch_nn_linear(hidden, model[kWeight2], model[kBias2]));
}

/* Records a whole step and returns its loss, which is pending. */
static int64_t train_step(const int64_t* model, int64_t optimizer, const Digits* train,
                          const int64_t* picks) {
  Scope scope = {0};
  Digits batch = minibatch(&scope, train, picks, kBatch);
  int64_t logits = forward(&scope, model, batch.images);
  int64_t loss = CHECKED(rt_torch_nn_cross_entropy_tensor(logits, batch.labels));
  rt_torch_optimizer_zero_grad(optimizer);
  rt_torch_autograd_backward(loss);
  rt_torch_optimizer_step(optimizer);
  leave(&scope, "train_step");
  return loss;
}

int main(int argc, char** argv) {
  static int64_t order[kTrain];
  int64_t model[kParameters], optimizer;
  double rate = kFirstRate, reached;
  Scope scope = {0};
  Digits train, test;
  int i, epoch, step;

  rt_torch_manual_seed(1);
  load_digits(&scope, argc > 1 ? argv[1] : EXAMPLES_DATA "/digits.csv", &train, &test);
  make_model(&scope, model);
  optimizer = CHECKED(rt_torch_sgd_new(model, kParameters, rate, 0, 0));
  for (i = 0; i < kTrain; ++i) order[i] = i;
  printf("digits: %d to learn from, %d held out; %d-%d-%d, backend %s\n", kTrain, kTest, kPixels,
         kHidden, kDigits, rt_torch_backend());
  begin_training();

  for (epoch = 1; epoch <= kEpochs; ++epoch) {
    double loss_sum = 0;
    shuffle(order);
    for (step = 0; step < kSteps; ++step) {
      int64_t loss = train_step(model, optimizer, &train, order + step * kBatch);
      if (epoch == 1 && step == 1)
        printf("one training step, as recorded (rt_torch_graph_text):\n%s\n",
               rt_torch_graph_text());
      loss_sum += number(loss); /* reading the loss runs the step */
      rt_torch_torchtensor_free(loss);
      rt_torch_optimizer_set_lr(optimizer, rate *= kRateDecay);
    }
    printf("epoch %2d of %d: loss %.4f, learning rate %.4f\n", epoch, kEpochs, loss_sum / kSteps,
           rate);
    fflush(stdout);
  }
  end_training(kEpochs * kSteps);

  rt_torch_autograd_no_grad_begin();
  reached = accuracy(&test, forward(&scope, model, test.images));
  rt_torch_autograd_no_grad_end();
  printf("held-out accuracy: %.2f %%\n", 100 * reached);
  rt_torch_optimizer_free(optimizer);
  leave(&scope, "main");
  check_all_freed();
  if (reached < kWantedAccuracy) {
    fprintf(stderr, "digits: the accuracy is below %.0f %%\n", 100 * kWantedAccuracy);
    return 1;
  }
  return 0;
}
