# check_exports.cmake -- test: a library exports exactly the symbols that its header declares and
# that the list of calls names for its flavor. Run with -DNM=<nm> -DLIBRARY=<librt_torch.so>
# -DHEADER=<rt_torch.h> -DLIST=<symbols.tsv> -DFLAVOR=<c or spl>.
cmake_minimum_required(VERSION 3.25)
execute_process(COMMAND ${NM} -D --defined-only -P ${LIBRARY} OUTPUT_VARIABLE symbols
                COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL "[^\n]+" lines "${symbols}")
list(TRANSFORM lines REPLACE " .*" "" OUTPUT_VARIABLE exported)

file(READ ${HEADER} text)
string(REGEX REPLACE "/\\*[^*]*\\*+([^/*][^*]*\\*+)*/" "" text "${text}")
string(REGEX MATCHALL "rt_[a-z0-9_]+\\(" declared "${text}")
list(TRANSFORM declared REPLACE "\\($" "")

# Columns: group, symbol, flavors, ...
file(READ ${LIST} text)
string(REPLACE ";" "," text "${text}")
string(REGEX MATCHALL "\n[^\t\n]+\t[^\t]+\t[a-z,]+\t" rows "${text}")
set(listed)
foreach(row IN LISTS rows)
  if(row MATCHES "\t([^\t]+)\t([a-z]+,)*${FLAVOR}(,[a-z]+)*\t$")
    list(APPEND listed ${CMAKE_MATCH_1})
  endif()
endforeach()

function(check_same what wanted)
  set(extra ${exported})
  list(REMOVE_ITEM extra ${wanted})
  set(missing ${wanted})
  list(REMOVE_ITEM missing ${exported})
  list(LENGTH wanted count)
  if(extra OR missing OR count EQUAL 0)
    message(FATAL_ERROR "${count} symbols in ${what}; exported but not there: [${extra}]; "
                        "there but not exported: [${missing}]")
  endif()
  message(STATUS "${count} symbols, exactly those of ${what}")
endfunction()
check_same(${HEADER} "${declared}")
check_same(${LIST} "${listed}")
