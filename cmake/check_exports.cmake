# check_exports.cmake -- test: the library exports what its header declares, no more and no less.
# Run with -DNM=<nm> -DLIBRARY=<librt_torch.so> -DHEADER=<rt_torch.h>
execute_process(COMMAND ${NM} -D --defined-only -P ${LIBRARY} OUTPUT_VARIABLE symbols
                COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL "[^\n]+" lines "${symbols}")
set(exported)
foreach(line IN LISTS lines)
  string(REGEX REPLACE " .*" "" name "${line}")
  list(APPEND exported ${name})
endforeach()

file(READ ${HEADER} text)
string(REGEX REPLACE "/\\*[^*]*\\*+([^/*][^*]*\\*+)*/" "" text "${text}")
string(REGEX MATCHALL "rt_[a-z0-9_]+\\(" declared "${text}")
list(TRANSFORM declared REPLACE "\\($" "")

set(extra ${exported})
list(REMOVE_ITEM extra ${declared})
set(missing ${declared})
list(REMOVE_ITEM missing ${exported})
list(LENGTH declared count)
if(extra OR missing OR count EQUAL 0)
  message(FATAL_ERROR "${count} declared; exported but not declared: [${extra}]; "
                      "declared but not exported: [${missing}]")
endif()
message(STATUS "${count} symbols, exactly those of the header")
