# page.cmake -- RT_PAGE_SOURCE: the files of the batch explorer as C++.
set(folder ${PROJECT_SOURCE_DIR}/graph/page)
file(GLOB page_files CONFIGURE_DEPENDS RELATIVE ${folder} ${folder}/*.html ${folder}/*.css
     ${folder}/*.js)
set(RT_PAGE_SOURCE ${PROJECT_BINARY_DIR}/page.cpp)
list(TRANSFORM page_files PREPEND ${folder}/ OUTPUT_VARIABLE page_paths)
add_custom_command(
  OUTPUT ${RT_PAGE_SOURCE}
  COMMAND ${CMAKE_COMMAND} -DOUT=${RT_PAGE_SOURCE} -DFOLDER=${folder} "-DFILES=${page_files}" -P
          ${PROJECT_SOURCE_DIR}/cmake/embed.cmake
  DEPENDS ${page_paths} ${PROJECT_SOURCE_DIR}/cmake/embed.cmake
  COMMENT "Embedding graph/page"
  VERBATIM)
