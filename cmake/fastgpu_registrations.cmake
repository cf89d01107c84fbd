# fastgpu_link_registrations(<target> <static library>...)
#
# Links static libraries of kernels whole. Registrations run in static initialisers, and a linker takes an
# object out of an archive only where something names it: a kernel that only its registration mentions would
# not be there. (An OBJECT library needs no such care.)
function(fastgpu_link_registrations target)
  foreach(library IN LISTS ARGN)
    # Not $<LINK_LIBRARY:WHOLE_ARCHIVE,...>: it does not bear that the same library is also linked plainly, by
    # `target` or by way of another one. Here the plain archive comes later and finds nothing left to give.
    target_link_options(${target} PRIVATE
      "LINKER:--push-state,--whole-archive,$<TARGET_FILE:${library}>,--pop-state")
    target_link_libraries(${target} PRIVATE ${library})
  endforeach()
endfunction()
