# check_generated.cmake -- test: the committed generated files are equal to the output of abi_gen.
# Run with -DABI_GEN=<program> -DFOLDER=<frontend_abi> -DGENERATED=<flag;file;...>
set(stale)
while(GENERATED)
  list(POP_FRONT GENERATED flag file)
  execute_process(COMMAND ${ABI_GEN} ${flag} OUTPUT_FILE check_generated.out
                  COMMAND_ERROR_IS_FATAL ANY)
  execute_process(COMMAND ${CMAKE_COMMAND} -E compare_files check_generated.out ${FOLDER}/${file}
                  RESULT_VARIABLE differs ERROR_QUIET)
  if(differs)
    list(APPEND stale ${file})
  endif()
endwhile()
if(stale)
  message(FATAL_ERROR "Not what abi_gen prints: ${stale}. Build the target abi_headers and commit.")
endif()
