# generated.cmake -- target abi_headers: writes the committed files that abi_gen generates.
set(RT_GENERATED
    --c rt_torch.h
    --spl spl_torch.h
    --simple rt_torch.spl
    --json rt_torch.json
    --md OPS.md)

# Written in the build folder first: a failing abi_gen leaves the committed file whole, and an
# unchanged file keeps its time stamp.
set(commands)
set(pairs ${RT_GENERATED})
while(pairs)
  list(POP_FRONT pairs flag file)
  list(APPEND commands COMMAND abi_gen ${flag} > ${PROJECT_BINARY_DIR}/${file})
  list(APPEND commands COMMAND ${CMAKE_COMMAND} -E copy_if_different
       ${PROJECT_BINARY_DIR}/${file} ${PROJECT_SOURCE_DIR}/frontend_abi/${file})
endwhile()
add_custom_target(abi_headers ${commands} VERBATIM
                  COMMENT "Writing frontend_abi/ from the op table")
