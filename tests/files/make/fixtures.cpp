// fixtures.cpp -- writes files by torch::save and torch::pickle_save; fixtures.py runs it.
#include <torch/torch.h>

#include <fstream>

int main() {
  const auto numbers = torch::tensor({{-1, 0, 1}, {2, 3, 4}}, torch::kFloat32);
  for (const auto dtype : {torch::kFloat, torch::kDouble, torch::kInt, torch::kLong, torch::kBool,
                           torch::kHalf, torch::kBFloat16}) {
    std::string name = torch::toString(dtype);
    for (char& c : name) c = static_cast<char>(std::tolower(c));
    torch::save(numbers.to(dtype), "cpp_" + name + ".pt");
  }
  torch::save(numbers.t(), "cpp_strided.pt");
  torch::save(numbers.clone().requires_grad_(), "cpp_requires_grad.pt");
  torch::save(torch::empty({0, 3}), "cpp_empty.pt");
  torch::save(torch::tensor(3.5f), "cpp_zero_dim.pt");
  torch::save(torch::tensor(std::vector<int64_t>{1, 65535}).to(torch::kUInt16), "cpp_u16.pt");
  torch::save(std::vector<torch::Tensor>{numbers, numbers}, "cpp_vector.pt");
  const auto pickle = torch::pickle_save(numbers);
  std::ofstream("cpp_pickle.pt", std::ios::binary).write(pickle.data(), pickle.size());
}
