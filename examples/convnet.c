/* convnet.c -- a convolutional classifier of hand-written digits: convolution, relu and pooling
   twice, then a linear layer. */
#include "digits_data.h"

enum { kFilters1 = 16, kFilters2 = 32, kKernel = 3, kBatch = 32, kSteps = kTrain / kBatch };
enum { kEpochs = 20, kFeatures = kFilters2 * (kSide / 4) * (kSide / 4) };
enum { kConv1, kConvBias1, kConv2, kConvBias2, kLinear, kLinearBias, kParameters };

static const double kFirstRate = 0.05;
static const double kRateDecay = 0.997;
static const double kMomentum = 0.9;
static const double kWeightDecay = 1e-4;
static const double kWantedAccuracy = 0.97;

static void make_model(Scope* scope, int64_t* model) {
  const int64_t first[4] = {kFilters1, 1, kKernel, kKernel};
  const int64_t second[4] = {kFilters2, kFilters1, kKernel, kKernel};
  const int64_t last[2] = {kDigits, kFeatures};
  model[kConv1] = parameter(scope, first, 4, 0, 0.47); /* sqrt(2 / 9) */
  model[kConvBias1] = parameter(scope, first, 1, 0, 0);
  model[kConv2] = parameter(scope, second, 4, 0, 0.118); /* sqrt(2 / (16 * 9)) */
  model[kConvBias2] = parameter(scope, second, 1, 0, 0);
  model[kLinear] = parameter(scope, last, 2, 0, 0.088); /* sqrt(1 / 128) */
  model[kLinearBias] = parameter(scope, last, 1, 0, 0);
}

/* A convolution that keeps the size, relu, and 2x2 max pooling. */
static int64_t stage(Scope* scope, int64_t input, int64_t weight, int64_t bias) {
  const int64_t one = 1, two = 2, none = 0;
  int64_t maps = LOCAL(
      scope, rt_torch_nn_conv2d(input, weight, bias, &one, 1, &one, 1, &one, 1, 1 /* group */));
  int64_t active = LOCAL(scope, rt_torch_torchtensor_relu(maps));
  return LOCAL(scope, rt_torch_nn_max_pool2d(active, &two, 1, &two, 1, &none, 1));
}

static int64_t forward(Scope* scope, const int64_t* model, int64_t images) {
  const int64_t planes[4] = {-1, 1, kSide, kSide}, rows[2] = {-1, kFeatures};
  int64_t input = LOCAL(scope, rt_torch_torchtensor_reshape(images, planes, 4));
  int64_t half = stage(scope, input, model[kConv1], model[kConvBias1]);
  int64_t quarter = stage(scope, half, model[kConv2], model[kConvBias2]);
  int64_t features = LOCAL(scope, rt_torch_torchtensor_reshape(quarter, rows, 2));
  return LOCAL(scope, rt_torch_nn_linear(features, model[kLinear], model[kLinearBias]));
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
  optimizer = CHECKED(rt_torch_sgd_new(model, kParameters, rate, kMomentum, kWeightDecay));
  for (i = 0; i < kTrain; ++i) order[i] = i;
  printf("convnet: %d to learn from, %d held out; %d and %d filters, backend %s\n", kTrain, kTest,
         kFilters1, kFilters2, rt_torch_backend());
  begin_training();

  for (epoch = 1; epoch <= kEpochs; ++epoch) {
    double loss_sum = 0;
    shuffle(order);
    for (step = 0; step < kSteps; ++step) {
      int64_t loss = train_step(model, optimizer, &train, order + step * kBatch);
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
    fprintf(stderr, "convnet: the accuracy is below %.0f %%\n", 100 * kWantedAccuracy);
    return 1;
  }
  return 0;
}
