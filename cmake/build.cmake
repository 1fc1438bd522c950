# What every target is built with.
include(GNUInstallDirs)
include(CTest)

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
set(THREADS_PREFER_PTHREAD_FLAG ON)

set(SALLYPORT_PLUGIN_OUTPUT_DIR ${CMAKE_BINARY_DIR}/lib/sallyport/plugins)

add_compile_options(-Wall -Wextra -Wconversion)
if(SALLYPORT_WERROR)
    add_compile_options(-Werror)
endif()

# The presets compile several sources of a library at once, for most of the time goes into reading headers; the preset `dev`
# does not. What a source keeps to itself is then in an included file, and seen by those that come after it.
set(CMAKE_UNITY_BUILD_BATCH_SIZE 10)
if(CMAKE_UNITY_BUILD)
    add_compile_options($<$<CXX_COMPILER_ID:GNU>:-Wshadow=local> $<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>)
else()
    add_compile_options(-Wshadow)
endif()

# Sanitizers, chosen by the presets: "address,undefined" or "thread".
set(SALLYPORT_SANITIZE "" CACHE STRING "Sanitizers to build with, as -fsanitize takes them")
if(SALLYPORT_SANITIZE)
    add_compile_options(-fsanitize=${SALLYPORT_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    add_link_options(-fsanitize=${SALLYPORT_SANITIZE})
endif()
option(SALLYPORT_COVERAGE "Count which lines run" OFF)
if(SALLYPORT_COVERAGE)
    add_compile_options(--coverage)
    add_link_options(--coverage)
endif()
