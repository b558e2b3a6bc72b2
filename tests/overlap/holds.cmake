# holds.cmake -- runs PROGRAMS, several processes of the suite, and looks at how long a call of
# theirs held the engine's lock at most: below LIMIT ns, building of batches apart.
file(REMOVE ${FILE})
foreach(program IN LISTS PROGRAMS)
  execute_process(COMMAND ${CMAKE_COMMAND} -E env RT_TORCH_HOLDS=${FILE} ${program}
                  OUTPUT_QUIET RESULT_VARIABLE result)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "${program} failed: ${result}")
  endif()
endforeach()
file(STRINGS ${FILE} holds)
message(STATUS "the longest holds: ${holds} ns")
foreach(hold IN LISTS holds)
  if(hold GREATER LIMIT)
    message(FATAL_ERROR "the engine's lock was held for ${hold} ns; less than ${LIMIT} are allowed")
  endif()
endforeach()
