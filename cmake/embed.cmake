# embed.cmake -- writes text files into a C++ table (graph/dump/page.h).
# Run with -DOUT=<file.cpp> -DFOLDER=<of the files> "-DFILES=<name;name;...>"
set(text "#include \"graph/dump/page.h\"\n\nnamespace rt::page {\nnamespace {\nconst File kFiles[] = {\n")
foreach(file IN LISTS FILES)
  file(READ "${FOLDER}/${file}" content)
  string(APPEND text "    {\"${file}\", R\"embedded(${content})embedded\"},\n")
endforeach()
file(WRITE "${OUT}" "${text}};\n}\nstd::span<const File> files() { return kFiles; }\n}\n")
