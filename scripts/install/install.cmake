# SPDX-License-Identifier: Apache-2.0
# What is installed where, and the package. Included by the top CMakeLists.txt.
#
#   cmake --install build [--prefix P]    DESTDIR is honoured
#   cd build && cpack                     exbridge_VERSION_ARCH.deb (nothing is enabled or started by it)
include(GNUInstallDirs)
set(EXBRIDGE_ZSH_DIR ${CMAKE_INSTALL_DATADIR}/zsh/site-functions CACHE STRING "Where zsh looks for completion")

install(TARGETS exbridge RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})

# Man pages and completion are made by the program itself.
set(PAGES ${CMAKE_BINARY_DIR}/pages)
file(GLOB PAGE_SOURCES CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/*.[157].in)
if(NOT CMAKE_CROSSCOMPILING)
    add_custom_command(OUTPUT ${PAGES}/man/exbridge.1
        COMMAND ${CMAKE_CURRENT_LIST_DIR}/make-pages $<TARGET_FILE:exbridge> ${PAGES}
        DEPENDS exbridge ${CMAKE_CURRENT_LIST_DIR}/make-pages ${PAGE_SOURCES}
        COMMENT "Man pages and completion" VERBATIM)
    add_custom_target(pages ALL DEPENDS ${PAGES}/man/exbridge.1)
    foreach(page exbridge.1 exbridge.conf.5 exbridge-clients.7)
        string(REGEX MATCH "[157]$" section ${page})
        install(FILES ${PAGES}/man/${page} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section})
    endforeach()
    install(FILES ${PAGES}/completion/exbridge DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
    install(FILES ${PAGES}/completion/_exbridge DESTINATION ${EXBRIDGE_ZSH_DIR})
    install(FILES ${PAGES}/completion/exbridge.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
endif()

# The units name the program by its path, and that is known when it is installed.
foreach(unit exbridge.service exbridge@.service)
    install(CODE "
        set(BINDIR \${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_BINDIR})
        configure_file(${CMAKE_CURRENT_LIST_DIR}/${unit}.in ${CMAKE_BINARY_DIR}/units/${unit} @ONLY)")
    install(FILES ${CMAKE_BINARY_DIR}/units/${unit} DESTINATION lib/systemd/user)
endforeach()
install(FILES ${CMAKE_CURRENT_LIST_DIR}/exbridge.socket DESTINATION lib/systemd/user)
install(FILES ${CMAKE_SOURCE_DIR}/README.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES ${CMAKE_CURRENT_LIST_DIR}/sandbox.conf DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples)
install(FILES ${CMAKE_CURRENT_LIST_DIR}/exbridge.conf.example DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples
    RENAME exbridge.conf)

# --- the package ------------------------------------------------------------------------------------------------------

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME exbridge)
set(EXBRIDGE_MAINTAINER "exbridge maintainers <maintainers@exbridge.example>" CACHE STRING "Who makes the package")
set(CPACK_PACKAGE_CONTACT ${EXBRIDGE_MAINTAINER})
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "IMAP, SMTP and CalDAV on localhost for Microsoft Exchange")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
    OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_SECTION mail)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "ca-certificates")
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "libnss3-tools, libsecret-tools, xdg-utils")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
"exbridge lets mail and calendar programs that speak IMAP, SMTP and CalDAV
work with Microsoft Exchange. It runs as the user's own service, listens on
localhost only, and speaks Exchange Web Services or Exchange ActiveSync to
the server, chosen for each account.")
set(CPACK_PRE_BUILD_SCRIPTS ${CMAKE_CURRENT_LIST_DIR}/debian.cmake)
set(CPACK_EXBRIDGE_SCRIPTS ${CMAKE_CURRENT_LIST_DIR})
include(CPack)
