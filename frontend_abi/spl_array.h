// spl_array.h -- lists and texts of the Simple runtime: numbers out of them, and new ones made.
#pragma once
#include <cstdint>
#include <span>

#include "spl_torch.h"

namespace rt::spl {

/// The elements of a list, none for NULL; throws unless there can be that many, at most `most`.
std::span<const SplValue> items(const char* name, const SplArray* array, int64_t most);

/// Elements as numbers: integers, floats and bools are. Throws for others, and for a float that is
/// no integer where one is needed, with the element's index.
void read(const char* name, std::span<const SplValue> items, int64_t* out);
void read(const char* name, std::span<const SplValue> items, double* out);

/// A new list, a new text: made by the host where it exports what that takes, else of malloc.
/// nullptr when there is no memory.
SplArray* make_list(std::span<const int64_t> numbers) noexcept;
SplArray* make_list(std::span<const double> numbers) noexcept;
char* make_text(const char* text) noexcept;

}  // namespace rt::spl
