// rules.h -- all rules that rows of the op table name, for files that expand the rows.
#pragma once
#include "graph/ops/decompositions.h"
#include "graph/ops/infer.h"
#include "graph/ops/ranges.h"
#include "graph/ops/views.h"
#include "graph/ops/vjp.h"
