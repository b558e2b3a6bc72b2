// each.h -- RT_EACH, a loop of the preprocessor over a parameter list of the tables.
#pragma once

// RT_EACH(macro, params) is macro(kind, name) for each item of a parameter list, which is written
// as (Kind, name)(Kind, name)... The twins put commas between the items; each scan then takes one.
#define RT_EACH(macro, params) RT_EACH_SPLIT(macro RT_EACH_END(RT_EACH_A params))
#define RT_EACH_A(...) , (__VA_ARGS__)RT_EACH_B
#define RT_EACH_B(...) , (__VA_ARGS__)RT_EACH_A
#define RT_EACH_A_END
#define RT_EACH_B_END
#define RT_EACH_END(...) RT_EACH_END_(__VA_ARGS__)
#define RT_EACH_END_(...) __VA_ARGS__##_END
#define RT_EACH_SPLIT(...) RT_EACH_FIRST(__VA_ARGS__)
#define RT_EACH_FIRST(macro, ...) __VA_OPT__(RT_SCAN_16(RT_EACH_STEP(macro, __VA_ARGS__)))
#define RT_EACH_STEP(macro, item, ...) \
  macro item __VA_OPT__(RT_EACH_NEXT RT_EACH_PARENS(macro, __VA_ARGS__))
#define RT_EACH_NEXT() RT_EACH_STEP
#define RT_EACH_PARENS ()
#define RT_SCAN_16(...) RT_SCAN_4(RT_SCAN_4(RT_SCAN_4(RT_SCAN_4(__VA_ARGS__))))
#define RT_SCAN_4(...) RT_SCAN(RT_SCAN(RT_SCAN(RT_SCAN(__VA_ARGS__))))
#define RT_SCAN(...) __VA_ARGS__
